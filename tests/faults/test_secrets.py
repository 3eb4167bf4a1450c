"""Secrets are planted wherever one can be, and everything that comes out is searched for them."""

import base64
import hashlib
import json
import signal
import urllib.parse
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.bucket.certificates import Authority
from tests.e2e.forebay import ForebayServer
from tests.faults.client import Client, call, until
from tests.forebay.server import run

PASSWORD, TOKEN, WRONG = "pass-hunter2", "token-hunter2", "wrong-hunter2"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
MARK = "hunter2"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def forms(secret: str) -> set[str]:
    """As it stands, quoted as in a URL, and as a part of a basic login."""
    logins = {base64.b64encode(f"{user}:{secret}".encode()).decode() for user in ("alice", "mallory")}
    return {secret, urllib.parse.quote(secret, safe=""), *logins}


SECRETS = {MARK, HASH, DIGEST} | forms(PASSWORD) | forms(TOKEN) | forms(WRONG)


def assert_silent(what: str, text: str) -> None:
    for secret in SECRETS:
        at = text.find(secret)
        assert at < 0, f"{what}: {text[max(0, at - 200) : at + 100]}"


def settings_of(directory: Path) -> dict[str, Any]:
    """Every section that may hold a secret, that of a broker which is not used among them."""
    (directory / "web.yml").write_text(json.dumps({"basic_auth_users": {"alice": HASH}}))
    (directory / "bearer.yml").write_text(json.dumps({"tokens": [{"name": "proxy", "sha256": DIGEST, "tenants": "*"}]}))
    return {
        "broker": {
            "type": "embedded",
            "kafka": {"librdkafka": {"sasl.password": "sasl-hunter2", "ssl.key.password": "ssl-hunter2"}},
        },
        "status": {"urls": [f"https://alice:{PASSWORD}@127.0.0.1:1"]},
        "web": {"config_file": str(directory / "web.yml"), "enable_lifecycle": True, "enable_admin_api": True},
        "auth": {"bearer_file": str(directory / "bearer.yml")},
        "self_metrics": {"enabled": False},
        "segment": {"interval": "1s", "grace": "100ms"},
    }


PATHS = [
    "/",
    "/-/healthy",
    "/-/ready",
    "/metrics",
    "/api/v1/status",
    "/api/v1/tenant/rejections",
    "/tenant/rejections",
    "/config",
    "/api/v1/status/config",
    f"/nothing/{TOKEN}?token={TOKEN}",
    f"/-/ready?password={PASSWORD}",
]


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_nothing_that_comes_out_holds_a_secret(tmp_path: Path, form: str) -> None:
    flags = (f"--log.format={form}", "--log.level=debug")
    logins = {
        "right password": basic("alice", PASSWORD),
        "right token": f"Bearer {TOKEN}",
        "wrong password": basic("alice", WRONG),
        "unknown user": basic("mallory", PASSWORD),
        "wrong token": f"Bearer {WRONG}",
        "unknown scheme": f"Hunter {WRONG}",
        "broken": f"Basic {WRONG}!",
    }
    seen: list[int] = []
    with ForebayServer(tmp_path, settings_of(tmp_path), *flags) as server:
        headers = {"Authorization": logins["right token"]}
        until(lambda: server.log.exists() and "listening" in server.log.read_text(), "a start")
        client = Client(server.url, "team-a")
        for name, login in logins.items():
            asking = {"Authorization": login, "X-Api-Key": "header-hunter2", "Cookie": "id=cookie-hunter2"}
            for path in PATHS:
                answer = call("GET", f"{server.url}{path}", headers=asking)
                assert_silent(f"{name} {path}", answer.text)
                seen.append(answer.status)
            for path, body in (("/api/v1/write", b"not snappy"), ("/api/v1/read", b""), ("/-/reload", b"")):
                answer = client.post(path, body, asking | {"X-Scope-OrgID": f"../{TOKEN}"})
                seen.append(answer.status)
                if path != "/-/reload" and answer.status == 400:
                    continue  # it tells the sender its own tenant header
                assert_silent(f"{name} POST {path}", answer.text)
        (tmp_path / "web.yml").write_text(f"basic_auth_users: {{alice: {PASSWORD}}}")
        (tmp_path / "bearer.yml").write_text(f"- {TOKEN}: [")
        assert server.popen is not None
        server.popen.send_signal(signal.SIGHUP)
        answer = call("POST", f"{server.url}/-/reload", headers=headers)
        assert (answer.status, "bcrypt" in answer.text) == (500, True)
        assert_silent("a reload that fails", answer.text)
        until(lambda: "could not reload" in server.log.read_text(), "a line in the log")
        assert server.stop() == 0
        log = server.log.read_text()
        assert "level" in log
        assert_silent("the log", log)
    assert {200, 401, 404} <= set(seen)


def test_check_config_shows_settings_without_secrets(tmp_path: Path) -> None:
    made = Authority(tmp_path / "ca").sign("localhost")
    settings = settings_of(tmp_path)
    settings["bucket"] = {
        "type": "S3",
        "config": {
            "bucket": "b",
            "endpoint": "127.0.0.1:1",
            "access_key": "access-hunter2",
            "secret_key": "secret-hunter2",
            "session_token": "session-hunter2",
        },
    }
    (tmp_path / "web.yml").write_text(
        json.dumps({"tls_server_config": {"cert": made.cert.read_text(), "key": made.key.read_text()}})
    )
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(settings))
    result = run("check-config", f"--config.file={file}")
    assert result.returncode == 0, result.stderr
    assert "bearer_file: " in result.stdout
    assert_silent("check-config", result.stdout + result.stderr)
    assert "PRIVATE KEY" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "text",
    [
        "bucket: {type: S3, config: {bucket: b, endpoint: e, secret_key: [hunter2]}}",
        "bucket: {type: S3, config: {bucket: b, secret_key: hunter2}}",
        "bucket: {type: S3, config: hunter2}",
        "broker: {kafka: {librdkafka: {sasl.password: [hunter2]}}}",
        "broker: {kafka: {librdkafka: {sasl.password: hunter2, acks: 1}}}",
        "status: {urls: ['https://alice:hunter2@127.0.0.1/path?x']}",
        "bucket: {type: S3, config: {secret_key: hunter2\n",
        "bucket:\n  config:\n    secret_key: 'hunter2\n    access_key: a\n",
        "bucket:\n\tsecret_key: hunter2\n",
    ],
)
def test_settings_that_are_refused_tell_no_secret(tmp_path: Path, text: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    result = run("check-config", f"--config.file={file}")
    assert result.returncode == 2
    assert result.stderr.startswith("forebay: ")
    assert MARK not in result.stdout + result.stderr
