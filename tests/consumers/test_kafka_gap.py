"""A real topic whose retention overtakes the consumer: the hole stands in the manifest, and in nothing else."""

import asyncio
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry

from broker.kafka_group import KafkaSubscription
from broker.log import LogWriter, NewRecord
from broker.record import new_headers
from bucket.filesystem import FilesystemBucket
from bucket.manifests import ManifestStore
from consumers.recipe import make_recipe
from consumers.settings import BoundSettings, ConsumerSettings, SegmentSettings
from consumers.worker import Consumer
from forebay.clock import SystemClock
from forebay.units import Duration
from tests.broker.contract import wait_for
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.consumers.rehearsal import one, stored
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")


async def fill(writer: LogWriter, first: int, records: int) -> None:
    now = SystemClock().now_ms()
    for number in range(first, first + records):
        await writer.append([NewRecord(0, b"tenant", one(now + number, number, job="x"), new_headers())])


async def consume(harness: KafkaHarness, directory: Path, end: int) -> CollectorRegistry:
    """Until the chain ends there."""
    segment = SegmentSettings(interval=Duration(400), grace=Duration(200))
    registry = CollectorRegistry()
    consumer = Consumer(
        lambda listener: KafkaSubscription(harness.settings, harness.group_id("group"), listener),
        FilesystemBucket(directory / "bucket"),
        recipe=make_recipe(segment, BoundSettings(), {}, "tenant_id"),
        segment=segment,
        settings=ConsumerSettings(poll_timeout=Duration(20)),
        directory=directory / "staging",
        clock=SystemClock(),
        logger=structlog.wrap_logger(structlog.ReturnLogger()),
        registry=registry,
    )
    running = asyncio.create_task(asyncio.to_thread(consumer.run))
    try:
        await wait_for(lambda: running.done() or [status.last_end for status in consumer.status()] == [end], 60)
    finally:
        consumer.stop()
        await running
    return registry


async def test_what_retention_took_stands_in_the_manifest(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> None:
    kafka.create_topic(topic_name, 1)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name))
    writer = await harness.writer()
    await fill(writer, 0, 6)
    await consume(harness, tmp_path, 6)
    await fill(writer, 6, 6)
    kafka.delete_records(topic_name, 0, 9)
    registry = await consume(harness, tmp_path, 12)
    bucket = FilesystemBucket(tmp_path / "bucket")
    chain = list(ManifestStore(bucket).chain(writer.log_id, 0))
    assert [manifest.gap for manifest in chain if manifest.gap] == [(6, 9)]
    assert [before.end for before in chain[:-1]] == [after.start for after in chain[1:]]
    assert registry.get_sample_value("forebay_consumer_lost_offsets_total") == 3
    assert sorted(stored(bucket, chain, tmp_path / "read").values()) == [0, 1, 2, 3, 4, 5, 9, 10, 11]
    await harness.close()
