"""What a TLS handshake goes by: a context made of `tls_server_config`, and what a client's certificate says."""

import contextlib
import ipaddress
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forebay.strict_yaml import SettingsError
from forebay.web_config import CIPHERS, CURVES, TlsServerConfig

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_HINT = "PEM files that this user can read, a certificate and its own key, the key unlocked"


def tls_files(config: TlsServerConfig | None, directory: Path) -> list[Path]:
    """What make_context reads; relative names are relative to `directory`, the configuration file's."""
    names = (config.cert_file, config.key_file, config.client_ca_file) if config else ()
    return [directory / name for name in names if name]


def make_context(config: TlsServerConfig, directory: Path) -> ssl.SSLContext:
    """A new context; blocks. Raises SettingsError where a file cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    context.options |= ssl.OP_NO_RENEGOTIATION
    if config.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if suites := [CIPHERS[suite] for suite in config.cipher_suites or () if suite in CIPHERS]:
        context.set_ciphers(":".join(suites))
    for curve in config.curve_preferences or ():
        context.set_ecdh_curve(CURVES[curve])
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, config, directory)
    if config.verifies_clients:
        _load_authorities(context, config, directory)
    return context


def _load_certificate(context: ssl.SSLContext, config: TlsServerConfig, directory: Path) -> None:
    with (
        _as_file(config.cert, config.cert_file, directory) as cert,
        _as_file(config.key, config.key_file, directory) as key,
    ):
        try:
            context.load_cert_chain(cert, key, password="")
        except OSError as error:  # ssl.SSLError is one
            raise SettingsError(
                f"web config: cannot use the certificate: cert={config.cert_file or 'inline'} "
                f"key={config.key_file or 'inline'} error={str(error)!r}",
                hint=_HINT,
            ) from error


def _load_authorities(context: ssl.SSLContext, config: TlsServerConfig, directory: Path) -> None:
    required = config.client_auth_type == "RequireAndVerifyClientCert"
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # as in Go, what is listed is trusted, signed by whom it may be
    if not config.client_ca and not config.client_ca_file:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    try:
        if config.client_ca:
            context.load_verify_locations(cadata=config.client_ca)
        else:
            context.load_verify_locations(cafile=directory / config.client_ca_file)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"web config: cannot use the clients' authorities: client_ca={config.client_ca_file or 'inline'} "
            f"error={str(error)!r}",
            hint=_HINT,
        ) from error


@contextlib.contextmanager
def _as_file(text: str, name: str, directory: Path) -> Iterator[Path]:
    """OpenSSL reads files only: one in memory where there are such, else one that nobody else can read."""
    if not text:
        yield directory / name
    elif hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "wb", buffering=0) as file:
            file.write(text.encode())
            yield Path(f"/proc/self/fd/{file.fileno()}")
    else:
        with tempfile.NamedTemporaryFile() as temporary:
            temporary.write(text.encode())
            temporary.flush()
            yield Path(temporary.name)


def alternative_names(certificate: dict[str, Any]) -> set[str]:
    """Of a peer's certificate, as getpeercert gives it: DNS names, addresses, e-mail addresses and URIs."""
    kinds = {"DNS", "email", "URI"}
    found = {value for kind, value in certificate.get("subjectAltName", ()) if kind in kinds}
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            found.add(str(ipaddress.ip_address(value.strip())))
    return found


def subject_values(certificate: dict[str, Any], field: str) -> tuple[str, ...]:
    """Values of a field of its subject, such as commonName, in the order that they stand there."""
    pairs = (pair for part in certificate.get("subject", ()) for pair in part)
    return tuple(value for name, value in pairs if name == field)


def subject_of(certificate: dict[str, Any]) -> str:
    """In one line, for people."""
    return ",".join(f"{name}={value}" for part in certificate.get("subject", ()) for name, value in part)
