"""`forebay replay` on a real Kafka and a real S3 server, beside a consumer that goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bucket import layout
from bucket.bucket import Bucket
from bucket.open import open_bucket
from bucket.settings import BucketSettings
from tests.bucket.s3_servers import versitygw_server
from tests.e2e.forebay import ForebayServer, audit
from tests.faults.client import Client
from tests.forebay.server import run
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.slow


def objects(bucket: Bucket) -> dict[str, bytes]:
    """But for how a segment's end was known, which may differ for who builds it again."""
    return {
        info.key: bucket.get(info.key).replace(b'"ended_by": "idle"', b'"ended_by": "mark"')
        for info in bucket.list("")
        if not info.key.startswith(layout.PROBES)
    }


def test_what_is_lost_comes_back_and_other_settings_take_its_place(
    peer: Callable[[str], Recipe], kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    with versitygw_server(peer("versitygw"), tmp_path / "versitygw") as s3:
        settings: dict[str, Any] = {
            "broker": {
                "type": "kafka",
                "kafka": {
                    "bootstrap_servers": kafka.bootstrap,
                    "topic": topic_name,
                    "create_topic": {"partitions": 3, "replication_factor": 1},
                },
            },
            "bucket": {"type": "S3", "config": s3.config(s3.make_bucket())},
            "segment": {"interval": "2s", "grace": "200ms"},
            "consumer": {"group": topic_name},
        }
        bucket = open_bucket(BucketSettings(type="S3", config=settings["bucket"]["config"]))
        with (
            ForebayServer(tmp_path / "gateway", settings, role="gateway") as gateway,
            ForebayServer(tmp_path / "consumer", settings, role="consumer") as consumer,
        ):
            gateway.ready()
            consumer.ready()
            client = Client(gateway.url, "team-a")
            for _ in range(4):
                assert client.send(series=50).status == 204
            consumer.wait_published()
            before = objects(bucket)
            blocks = [name for name in bucket.list_dirs("") if name != "forebay"]
            gone = [key for key in before if key.startswith((blocks[0], layout.SEGMENTS, f"{blocks[-1]}/index"))]
            for key in gone:
                bucket.delete(key)

            flags = [f"--config.file={consumer.settings_file}", f"--data.dir={tmp_path / 'here'}"]
            told = run("replay", *flags, "--json", timeout=120)
            assert told.returncode == 0, told.stdout + told.stderr
            assert {each["state"] for each in json.loads(told.stdout)["segments"]} == {"missing"}
            assert objects(bucket) == before
            assert "nothing changed" in run("replay", *flags, "--from=2020-01-01T00:00:00Z", timeout=120).stdout

            now = tmp_path / "now.yaml"
            now.write_text(json.dumps(settings | {"external_labels": {"cluster": "eu1"}}))
            flags[0] = f"--config.file={now}"
            told = run("replay", *flags, "--rebuild", timeout=120)
            assert told.returncode == 0, told.stdout + told.stderr
            assert Client(consumer.url, "team-a").read(__name__="faults") == client.promised
            assert client.send(series=50).status == 204  # the group goes on
            consumer.wait_published()
            assert Client(consumer.url, "team-a").read(__name__="faults") == client.promised
            code, report = audit(now, consumer.data, "--deep")
            assert code == 0, report
            assert "note replaced" in report
        bucket.close()
