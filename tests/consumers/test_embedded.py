"""The same over the real embedded log and a bucket on disk, in real time."""

import threading
import time
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from broker.embedded import EmbeddedWriter
from broker.embedded_group import EmbeddedSubscription
from broker.log import NewRecord
from broker.record import new_headers
from broker.settings import EmbeddedSettings
from bucket import layout
from bucket.filesystem import FilesystemBucket
from bucket.manifests import ManifestStore
from consumers.recipe import make_recipe
from consumers.settings import BoundSettings, ConsumerSettings, SegmentSettings
from consumers.worker import Consumer
from forebay.clock import SystemClock
from forebay.units import Duration
from tests.consumers.rehearsal import objects, one, stored

PARTITIONS = 2
RECORDS = 40


def consume(directory: Path, bucket: FilesystemBucket, seconds: float) -> None:
    """Until everything is published, or for so long."""
    segment = SegmentSettings(interval=Duration(300), grace=Duration(200))
    clock = SystemClock()
    consumer = Consumer(
        lambda listener: EmbeddedSubscription(directory / "log", "forebay", listener, clock),
        bucket,
        recipe=make_recipe(segment, BoundSettings(), {}, "tenant_id"),
        segment=segment,
        settings=ConsumerSettings(poll_timeout=Duration(20)),
        directory=directory / "staging",
        clock=clock,
        logger=structlog.wrap_logger(structlog.ReturnLogger()),
        registry=CollectorRegistry(),
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            consumer.run()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and thread.is_alive():
        statuses = consumer.status()
        if len(statuses) == PARTITIONS and all(status.last_end == RECORDS for status in statuses):
            break
        time.sleep(0.01)
    consumer.stop()
    thread.join()
    assert failures == []


def blocks(bucket: FilesystemBucket) -> dict[str, bytes]:
    return {key: data for key, data in objects(bucket).items() if not key.startswith(layout.FOREBAY)}


async def test_a_real_log_becomes_blocks_on_disk_across_restarts(tmp_path: Path) -> None:
    clock = SystemClock()
    writer = EmbeddedWriter(EmbeddedSettings(partitions=PARTITIONS), tmp_path / "log", clock)
    for number in range(RECORDS):
        now = clock.now_ms()
        await writer.append(
            [NewRecord(p, b"tenant", one(now + number, number, p=str(p)), new_headers()) for p in range(PARTITIONS)]
        )
        if number == RECORDS // 2:
            time.sleep(0.4)  # noqa: ASYNC251 - the slot must pass
    await writer.close()
    bucket = FilesystemBucket(tmp_path / "bucket")
    consume(tmp_path, bucket, 0.1)
    consume(tmp_path, bucket, 30)
    manifests = ManifestStore(bucket)
    chains = {partition: list(manifests.chain(writer.log_id, partition)) for partition in range(PARTITIONS)}
    for partition, chain in chains.items():
        assert chain[-1].end == RECORDS
        assert len(chain) >= 2
        assert sorted(stored(bucket, chain, tmp_path / f"read{partition}").values()) == list(range(RECORDS))

    twin = FilesystemBucket(tmp_path / "twin")
    consume(tmp_path, twin, 30)  # the group's offsets say that all is done; the empty bucket says what is true
    assert blocks(twin) == blocks(bucket)
