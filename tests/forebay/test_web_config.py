"""The exporter-toolkit's format: what is taken, what is refused with which words, and that no secret is among them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from forebay.strict_yaml import SettingsError
from forebay.tls import make_context
from forebay.web_config import CIPHERS, CIPHERS_13, CURVES, WebConfig, load_web_config
from tests.bucket.certificates import Authority

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
PAIR = {"cert_file": "a.crt", "key_file": "a.key"}


def load(tmp_path: Path, document: Any) -> WebConfig:
    file = tmp_path / "web.yml"
    file.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return load_web_config(str(file))


@pytest.mark.parametrize("text", ["", "# nothing\n", "tls_server_config:\nbasic_auth_users:\nhttp_server_config:\n"])
def test_a_file_that_asks_for_nothing_is_one(tmp_path: Path, text: str) -> None:
    config = load(tmp_path, text)
    assert (config.tls, config.users, config.headers) == (None, {}, {})


def test_users_headers_and_a_rate_are_taken(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        {
            "basic_auth_users": {
                "alice": HASH,
                "bob": HASH.replace("$2y$", "$2b$"),
                "carol": HASH.replace("y", "a", 1),
            },
            "http_server_config": {
                "http2": False,
                "headers": {"X-Frame-Options": "deny", "X-XSS-Protection": 1, "Content-Security-Policy": ""},
            },
            "rate_limit": {"interval": "1s", "burst": 5},
        },
    )
    assert set(config.users) == {"alice", "bob", "carol"}
    assert config.headers == {"X-Frame-Options": "deny", "X-XSS-Protection": "1"}
    assert config.rate_limit is not None
    assert config.rate_limit.interval == 1000


@pytest.mark.parametrize("minimum", ["TLS12", "TLS13"])
@pytest.mark.parametrize("curve", [None, *CURVES])
def test_tls_settings_make_a_context(tmp_path: Path, minimum: str, curve: str | None) -> None:
    made = Authority(tmp_path / "ca").sign("localhost")
    tls = {
        "cert_file": made.cert.name,  # relative to the configuration file
        "key": made.key.read_text(),
        "client_ca_file": "authority.crt",
        "client_auth_type": "RequireAndVerifyClientCert",
        "min_version": minimum,
        "cipher_suites": [*CIPHERS, *CIPHERS_13],
        "prefer_server_cipher_suites": False,
    } | ({"curve_preferences": [curve]} if curve else {})
    config = load(tmp_path, {"tls_server_config": tls})
    assert config.tls is not None
    context = make_context(config.tls, tmp_path / "ca")
    assert context.minimum_version.name == minimum.replace("TLS1", "TLSv1_")
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert names >= set(CIPHERS.values())


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("- a", "expected a mapping"),
        ("a: [", "not YAML"),
        ({"tls_config": {}}, "tls_config: unknown setting"),
        ({"tls_server_config": {"cert_filse": "a"}}, "tls_server_config.cert_filse: unknown setting"),
        ({"tls_server_config": {"cert_file": "a"}}, "one of key and key_file"),
        ({"tls_server_config": {"key_file": "a"}}, "one of cert and cert_file"),
        ({"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}, "one of cert and cert_file"),
        ({"tls_server_config": PAIR | {"cert": "a"}}, "cert and cert_file must not both"),
        ({"tls_server_config": PAIR | {"min_version": "TLS10"}}, "must be TLS12 or TLS13"),
        ({"tls_server_config": PAIR | {"min_version": "TLS14"}}, "min_version"),
        ({"tls_server_config": PAIR | {"min_version": "TLS13", "max_version": "TLS12"}}, "must not be above"),
        ({"tls_server_config": PAIR | {"client_auth_type": "x"}}, "client_auth_type"),
        ({"tls_server_config": PAIR | {"client_auth_type": "RequireAnyClientCert"}}, "which is not done here"),
        ({"tls_server_config": PAIR | {"client_ca_file": "a"}}, "need a client_auth_type that verifies"),
        ({"tls_server_config": PAIR | {"client_allowed_sans": ["a"]}}, "needs a client_auth_type that verifies"),
        ({"tls_server_config": PAIR | {"cipher_suites": ["TLS_RSA_WITH_RC4_128_SHA"]}}, "must be secure suites"),
        ({"tls_server_config": PAIR | {"curve_preferences": ["P999"]}}, "curve_preferences must be among"),
        ({"tls_server_config": PAIR | {"curve_preferences": ["CurveP256", "X25519"]}}, "more than one"),
        ({"http_server_config": {"http2": True}}, "http2 is not spoken here"),
        ({"http_server_config": {"headers": {"X-Own": "a"}}}, "they must be among"),
        ({"http_server_config": {"headers": {"X-Frame-Options": "all"}}}, "must be one of deny, sameorigin"),
        ({"http_server_config": {"headers": {"Strict-Transport-Security": "a\r\nX: b"}}}, "control characters"),
        ({"rate_limit": {"interval": "1s"}}, "burst at least 1"),
        ({"basic_auth_users": {"alice": "plain"}}, "bcrypt hashes of cost 4 to 18 (user 'alice' does not)"),
        ({"basic_auth_users": {"alice": HASH.replace("$10$", "$31$")}}, "bcrypt hashes"),
        ({"basic_auth_users": {"a:b": HASH}}, "a user who cannot log in"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, document: Any, problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, document)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("web config: ")


@pytest.mark.parametrize("kind", ["missing", "garbage", "of another"])
def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path, kind: str) -> None:
    made = Authority(tmp_path / "ca").sign("localhost")
    key = {"missing": tmp_path / "none", "garbage": tmp_path / "garbage"}.get(kind)
    (tmp_path / "garbage").write_text("-----BEGIN PRIVATE KEY-----\nhunter2\n")
    key = key or Authority(tmp_path / "other").sign("localhost").key
    config = load(tmp_path, {"tls_server_config": {"cert_file": str(made.cert), "key_file": str(key)}})
    assert config.tls is not None
    with pytest.raises(SettingsError, match=r"cannot use the certificate: cert=.*localhost.crt key=") as caught:
        make_context(config.tls, tmp_path)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "- hunter2",
        "basic_auth_users: {alice: hunter2}",
        "basic_auth_users: {alice: {a: hunter2}}",
        "basic_auth_users: hunter2",
        "basic_auth_users:\n  alice: hunter2\n bob: [",
        "tls_server_config: {key: hunter2}",
        "tls_server_config: {key: {a: hunter2}}",
        "tls_server_config: {key: hunter2, cert: a, min_version: hunter}",
    ],
)
def test_no_refusal_tells_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in str(error)
        error = error.__cause__
