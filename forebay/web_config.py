"""The file of --web.config.file: TLS, headers and users, in the format of Prometheus' exporter-toolkit (0.19).

Everything that is in it is done or refused, never skipped: what this server cannot do has a message that says so.
"""

import re
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from forebay.settings_file import read_text
from forebay.strict_yaml import SettingsError, convert, parse_yaml
from forebay.units import Duration

ClientAuth = Literal[
    "",
    "NoClientCert",
    "RequestClientCert",
    "RequireClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
_UNVERIFIED = {"RequestClientCert", "RequireClientCert", "RequireAnyClientCert"}
HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""Headers that may be set, and their values where only some are allowed."""
CIPHERS: Final = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""OpenSSL's names of the suites that Go calls secure, up to TLS 1.2."""
CIPHERS_13: Final = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
"""Of TLS 1.3: may stand in the list, and are always on, as in Go."""
CURVES: Final = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_BCRYPT = re.compile(r"\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}")
_MAX_COST = 18  # many seconds for one password; a higher one would keep every other waiting for too long
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class TlsServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_auth_type: ClientAuth = ""
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] = "TLS12"
    max_version: Literal["TLS10", "TLS11", "TLS12", "TLS13"] = "TLS13"
    cipher_suites: tuple[str, ...] | None = None
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for text, file in (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file")):
            if getattr(self, text) and getattr(self, file):
                raise ValueError(f"{text} and {file} must not both be there")
        if self.enabled and not (self.cert or self.cert_file):
            raise ValueError("one of cert and cert_file must be there")
        if self.enabled and not (self.key or self.key_file):
            raise ValueError("one of key and key_file must be there")
        if self.min_version in {"TLS10", "TLS11"} or self.max_version in {"TLS10", "TLS11"}:
            raise ValueError("min_version and max_version must be TLS12 or TLS13 (older ones are not spoken: RFC 8996)")
        if self.min_version > self.max_version:
            raise ValueError("min_version must not be above max_version")
        self._check_clients()
        self._check_choices()

    def _check_choices(self) -> None:
        for suite in self.cipher_suites or ():
            if suite not in CIPHERS and suite not in CIPHERS_13:
                raise ValueError(f"cipher_suites must be secure suites by Go's names (got {suite!r})")
        for curve in self.curve_preferences or ():
            if curve not in CURVES:
                raise ValueError(f"curve_preferences must be among {', '.join(CURVES)} (got {curve!r})")
        if len(self.curve_preferences or ()) > 1:
            raise ValueError("curve_preferences cannot hold more than one here; leave it out for OpenSSL's choice")

    def _check_clients(self) -> None:
        if self.client_auth_type in _UNVERIFIED:
            raise ValueError(
                f"client_auth_type {self.client_auth_type} asks for a certificate that nobody verifies, which is "
                "not done here: use RequireAndVerifyClientCert, VerifyClientCertIfGiven or NoClientCert"
            )
        if not self.verifies_clients and (self.client_ca or self.client_ca_file):
            raise ValueError("client_ca and client_ca_file need a client_auth_type that verifies")
        if not self.verifies_clients and self.client_allowed_sans is not None:
            raise ValueError("client_allowed_sans needs a client_auth_type that verifies")

    @property
    def enabled(self) -> bool:
        """Whether anything in it asks for TLS, as the toolkit sees it."""
        return any((self.cert, self.cert_file, self.key, self.key_file, self.client_ca, self.client_ca_file)) or bool(
            self.client_auth_type
        )

    @property
    def verifies_clients(self) -> bool:
        return self.client_auth_type in {"VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}


class HttpServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    http2: bool | None = None
    headers: dict[str, str] | None = None

    def __post_init__(self) -> None:
        if self.http2:
            raise ValueError("http2 is not spoken here: set it to false, or take it out; clients agree on HTTP/1.1")
        for name, value in (self.headers or {}).items():
            if name not in HEADERS:
                raise ValueError(f"headers: they must be among {', '.join(HEADERS)} (got {name!r})")
            if HEADERS[name] and value not in HEADERS[name]:
                raise ValueError(f"headers: {name} must be one of {', '.join(HEADERS[name])} (got {value!r})")
            if _CONTROLS.search(value):
                raise ValueError(f"headers: {name} must not hold control characters")


class RateLimitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    interval: Duration = Duration(0)
    burst: int = 0

    def __post_init__(self) -> None:
        if self.interval < 0 or (self.interval > 0 and self.burst < 1):
            raise ValueError("interval must be at least 0, and burst at least 1 where it is above")


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; none and an empty one ask for nothing."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig | None = None
    rate_limit: RateLimitConfig | None = None
    basic_auth_users: dict[str, str] | None = None

    def __post_init__(self) -> None:
        for user, hashed in self.users.items():
            matched = _BCRYPT.fullmatch(hashed)
            if matched is None or not 4 <= int(matched[1]) <= _MAX_COST:
                raise ValueError(
                    f"basic_auth_users must hold bcrypt hashes of cost 4 to {_MAX_COST} (user {user!r} does not)"
                )
            if not user or ":" in user:
                raise ValueError(f"basic_auth_users must not hold a user who cannot log in (got {user!r})")

    @property
    def tls(self) -> TlsServerConfig | None:
        config = self.tls_server_config
        return config if config is not None and config.enabled else None

    @property
    def users(self) -> dict[str, str]:
        """Bcrypt hashes by user."""
        return self.basic_auth_users or {}

    @property
    def headers(self) -> dict[str, str]:
        """Of every answer; one that is blank is unset."""
        config = self.http_server_config
        return {name: value for name, value in ((config and config.headers) or {}).items() if value}


def load_web_config(file: str) -> WebConfig:
    """Blocks. Raises SettingsError, which tells nothing that stands in the file but names."""
    if not file:
        return WebConfig()
    try:
        document = parse_yaml(read_text(Path(file), "web config"), secret=True)
        return convert(_as_toolkit_reads(document), WebConfig, secret=True)
    except SettingsError as error:
        raise SettingsError(f"web config: {error.args[0]}", hint="see docs/security.md") from None


def _as_toolkit_reads(document: dict[str, Any]) -> dict[str, Any]:
    """Where Go's YAML takes a number for a text, or for no time at all."""
    match document:
        case {"http_server_config": {"headers": dict() as headers}}:
            for name, value in headers.items():
                if isinstance(value, int) and not isinstance(value, bool):
                    headers[name] = str(value)
    match document:
        case {"rate_limit": {"interval": 0} as limit}:
            limit["interval"] = "0s"
    return document
