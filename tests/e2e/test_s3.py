"""All-in-one on a real S3 server: written, published, proved and read back, with nothing of it on local disk."""

from collections.abc import Callable
from pathlib import Path

from tests.bucket.s3_servers import versitygw_server
from tests.e2e.forebay import ForebayServer, audit
from tests.faults.client import Client
from tests.peers.recipes import Recipe


def test_blocks_in_s3_are_published_audited_and_read(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    with versitygw_server(peer("versitygw"), tmp_path / "versitygw") as s3:
        name = s3.make_bucket()
        settings = {
            "bucket": {"type": "S3", "prefix": "team/metrics", "config": s3.config(name)},
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
