"""The roles apart on a real Kafka and a real S3 server: what was acknowledged is in blocks, once, and is read back."""

import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.bucket.s3_servers import versitygw_server
from tests.e2e.forebay import ForebayServer, audit
from tests.faults.client import Client
from tests.forebay.server import run
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe


def wait_held(consumers: list[ForebayServer], *, partitions: int) -> None:
    """Until they have all, and none twice: a member that was slow is out of its group for a while."""
    deadline = time.monotonic() + 60
    while True:
        held = [
            {row["partition"] for row in consumer.status()["partitions"] if "position" in row} for consumer in consumers
        ]
        if sum(map(len, held)) == len(set().union(*held)) == partitions:
            return
        assert time.monotonic() < deadline, held
        time.sleep(0.2)


def wait_told(command: tuple[str, ...], *, members: str, partitions: int) -> CompletedProcess[str]:
    """As above, as the group tells it."""
    deadline = time.monotonic() + 60
    while (told := run(*command)).stdout.count(members) != partitions:
        assert time.monotonic() < deadline, told.stdout + told.stderr
    return told


def test_two_gateways_and_two_consumers(
    peer: Callable[[str], Recipe], kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    with versitygw_server(peer("versitygw"), tmp_path / "versitygw") as s3:
        settings: dict[str, Any] = {
            "broker": {
                "type": "kafka",
                "kafka": {
                    "bootstrap_servers": kafka.bootstrap,
                    "topic": topic_name,
                    "create_topic": {"partitions": 6, "replication_factor": 1},
                    "session_timeout": "6s",
                },
            },
            "bucket": {"type": "S3", "config": s3.config(s3.make_bucket())},
            "segment": {"interval": "2s", "grace": "200ms"},
            "consumer": {"group": topic_name},
        }

        def role(name: str, number: int) -> ForebayServer:
            return ForebayServer(tmp_path / f"{name}-{number}", settings, role=name)

        with role("gateway", 1) as first, role("gateway", 2) as second:
            first.ready()
            second.ready()
            with role("consumer", 1) as one, role("consumer", 2) as two:
                one.ready()
                two.ready()
                clients = [Client(first.url, "team-a"), Client(second.url, "team-a")]
                for _ in range(5):
                    assert [client.send(series=50).status for client in clients] == [204, 204]
                one.wait_published()
                wait_held([one, two], partitions=6)
                command = ("status", f"--config.file={one.settings_file}", f"--data.dir={tmp_path}", f"--url={one.url}")
                told = wait_told(command, members="forebay-consumer-", partitions=6)
                assert told.returncode == 0, told.stdout + told.stderr
                assert one.url in told.stdout
                promised = clients[0].promised | clients[1].promised
                assert promised
                assert Client(one.url, "team-a").read(__name__="faults") == promised
                code, report = audit(one.settings_file, one.data, "--deep")
                assert code == 0, report
                assert one.stop() == two.stop() == 0
            assert clients[0].send(series=50).status == 204
            told = run("status", f"--config.file={first.settings_file}", f"--data.dir={tmp_path}")
            assert told.returncode == 1, told.stdout + told.stderr
            assert "no consumer has it, and records wait: records=1" in told.stdout
            assert first.stop() == second.stop() == 0
