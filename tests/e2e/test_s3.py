"""All-in-one on real S3 servers: written, published, proved and read back, with nothing of it on local disk."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.bucket.certificates import Authority
from tests.bucket.s3_servers import KMS_KEY, S3Server, minio_server, versitygw_server
from tests.e2e.forebay import ROOT, ForebayServer, audit
from tests.faults.client import Client
from tests.peers.recipes import Recipe


@pytest.fixture
def plain(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[S3Server]:
    with versitygw_server(peer("versitygw"), tmp_path / "versitygw") as server:
        yield server


@pytest.fixture
def guarded(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[S3Server]:
    """Behind TLS of an authority that nobody knows, and able to encrypt."""
    with minio_server(peer("minio"), tmp_path / "minio", Authority(tmp_path / "authority")) as server:
        yield server


@pytest.mark.parametrize(
    ("server", "encryption"), [("plain", {}), ("guarded", {"type": "SSE-KMS", "kms_key_id": KMS_KEY})]
)
def test_blocks_in_s3_are_published_audited_and_read(
    request: pytest.FixtureRequest, tmp_path: Path, server: str, encryption: dict[str, str]
) -> None:
    s3: S3Server = request.getfixturevalue(server)
    name = s3.make_bucket()
    settings = {
        "bucket": {"type": "S3", "prefix": "team/metrics", "config": s3.config(name, sse_config=encryption)},
        "segment": {"interval": "2s", "grace": "200ms"},
        "self_metrics": {"enabled": False},
    }
    with ForebayServer(tmp_path / "forebay", settings) as forebay:
        forebay.ready()
        client = Client(forebay.url, "team-a")
        for _ in range(3):
            assert client.send().status == 204
        forebay.wait_published()
        keys = [info.key for info in s3.open(name).list("")]
        assert any(key.endswith("/meta.json") for key in keys)
        assert any("/forebay/segments/" in key for key in keys)
        assert all(key.startswith("team/metrics/") for key in keys)
        assert not forebay.bucket.exists()
        assert client.promised
        assert client.read(__name__="faults") == client.promised
        code, report = audit(forebay.settings_file, forebay.data, "--deep")
        assert code == 0, report
        assert forebay.stop() == 0
    shown = report + forebay.tail(10_000)
    assert s3.config(name)["secret_key"] not in shown
    assert s3.config(name)["access_key"] not in shown


Case = tuple[dict[str, Any], dict[str, str], str]
MISSING_PROFILE: Case = ({}, {"AWS_PROFILE": "missing"}, "correct AWS_PROFILE")
EMPTY_PROFILE: Case = ({}, {"AWS_PROFILE": "empty"}, "set access_key and secret_key")
MISSING_CA: Case = (
    {"http_config": {"tls_config": {"ca_file": "/never/made.crt"}}},
    {},
    "correct bucket.config.http_config.tls_config",
)
MISSING_KEY: Case = ({"sse_config": {"type": "SSE-C", "encryption_key": "/never/made"}}, {}, "32 random bytes")


@pytest.mark.parametrize(
    ("command", "case"),
    [
        ("all-in-one", MISSING_PROFILE),
        ("all-in-one", EMPTY_PROFILE),
        ("all-in-one", MISSING_CA),
        ("consumer", MISSING_PROFILE),
        ("compactor", MISSING_CA),
        ("audit", MISSING_PROFILE),
        ("audit", MISSING_KEY),
    ],
)
def test_a_start_without_what_the_store_asks_for_is_3_with_a_hint(tmp_path: Path, command: str, case: Case) -> None:
    config, environment, hint = case
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile empty]\nregion = eu-west-1\n")
    bucket = {"type": "S3", "config": {"bucket": "b", "endpoint": "127.0.0.1:1"} | config}
    (tmp_path / "forebay.yaml").write_text(json.dumps({"bucket": bucket}))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    own = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "AWS_EC2_METADATA_DISABLED": "true"}
    listen = [] if command == "audit" else ["--web.listen-address=127.0.0.1:0"]
    result = subprocess.run(
        [sys.executable, "-m", "forebay", command, "--config.file=forebay.yaml", "--data.dir=data", *listen],
        cwd=tmp_path,
        env=kept | own | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    printed = result.stdout + result.stderr
    assert result.returncode == 3, printed
    assert hint in printed.splitlines()[-1]
    assert "hint" in printed.splitlines()[-1]
    assert "Traceback" not in printed
