"""The roles apart, as processes on one data directory."""

import time
from pathlib import Path

from tests.forebay.server import Role
from tests.forebay.test_all_in_one import eventually, write_some


def test_a_consumer_waits_for_its_log_and_builds_what_the_gateway_wrote(tmp_path: Path) -> None:
    with Role("consumer", tmp_path) as consumer:
        consumer.wait_ready(f"{consumer.url}/-/healthy")
        eventually(lambda: b"there is no log yet" in consumer.get("/api/v1/status")[1], consumer)
        assert consumer.get("/-/ready")[0] == 503
        with Role("gateway", tmp_path) as gateway:
            gateway.ready()
            consumer.ready()
            now = int(time.time() * 1000)
            write_some(gateway)
            eventually(lambda: len(consumer.read(start=now - 60_000, end=now + 60_000, __name__="up")) == 50, consumer)
            eventually(
                lambda: all(row["manifest_end"] == row["end_offset"] > 0 for row in consumer.status()["partitions"]),
                consumer,
            )
            assert [row["end_offset"] for row in gateway.status()["partitions"]] == [1, 1, 1, 1]
            assert gateway.get("/")[0] == consumer.get("/")[0] == 200
            assert gateway.stop() == 0
        assert consumer.stop() == 0


def test_a_second_gateway_on_one_embedded_log_is_refused(tmp_path: Path) -> None:
    with Role("gateway", tmp_path) as first:
        first.ready()
        with Role("gateway", tmp_path) as second:
            assert second.popen is not None
            assert second.popen.wait(30) == 3
            assert "hint=" in second.tail(1)
        assert first.get("/-/ready")[0] == 200


def test_a_compactor_runs_alone_until_it_is_stopped(tmp_path: Path) -> None:
    with Role("compactor", tmp_path, {"compactor": {"interval": "100ms"}}) as compactor:
        compactor.ready()
        eventually(
            lambda: b'forebay_compactor_runs_total{outcome="success"} 0.0' not in compactor.get("/metrics")[1],
            compactor,
        )
        assert b"compactor" in compactor.get("/")[1]
        assert compactor.stop() == 0


def test_a_start_that_waits_for_its_log_ends_well_when_it_is_told_to(tmp_path: Path) -> None:
    kafka = {"bootstrap_servers": "127.0.0.1:1"}
    with Role("gateway", tmp_path, {"broker": {"type": "kafka", "kafka": kafka}}) as gateway:
        eventually(lambda: "level=info msg=starting" in gateway.tail(), gateway)
        time.sleep(1)  # it takes signals a moment after that line, and waits for Kafka for ten seconds
        assert gateway.stop() == 0
        assert "stopped before it had started" in gateway.tail()
