"""Runs a whole consumer over a log in memory until everything is published, and looks at what it left in the bucket."""

from collections.abc import Callable
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from broker.log import Listener
from bucket.bucket import Bucket
from bucket.manifest import LABEL_WINDOW, HaRecipe, Manifest
from bucket.manifests import ManifestStore
from consumers.recipe import make_recipe
from consumers.settings import BoundSettings, ConsumerSettings, SegmentSettings
from consumers.worker import Consumer
from forebay.clock import ManualClock
from forebay.units import Duration, Size
from tests.consumers.head_oracle import Entry, decoded, named, read_block, record
from tests.consumers.memory_log import MemoryLog, MemorySubscription

SLOT = 60_000
START = 1_700_006_400_000  # the start of a window, and of a slot
MOST_POLLS = 5000

Samples = dict[tuple[str, tuple[tuple[bytes, bytes], ...], int], int]
"""Bits of a value by (tenant, labels, timestamp)."""


def one(timestamp: int, value: int = 0, **labels: str) -> bytes:
    """A record of one sample; `value` is its bits."""
    return record([Entry(named(**labels), [(timestamp, value)])])


class Rehearsal:
    """A log, a bucket and what consumers do to them; every consumer started here is a new process."""

    def __init__(self, log: MemoryLog, bucket: Bucket, directory: Path) -> None:
        self.log = log
        self.bucket = bucket
        self.directory = directory
        self.segment = SegmentSettings(interval=Duration(SLOT), grace=Duration(1000))
        self.bounds = BoundSettings()
        self.settings = ConsumerSettings(
            poll_timeout=Duration(1), retry_min=Duration(1), retry_max=Duration(4), drain_timeout=Duration(5000)
        )
        self.external_labels = {"cluster": "eu1"}
        self.ha: HaRecipe | None = None
        self.label_window = LABEL_WINDOW
        self.registry = CollectorRegistry()
        self.logger = structlog.wrap_logger(structlog.ReturnLogger())
        self.consumer: Consumer
        self.subscription: MemorySubscription
        self.polls = 0

    def max_bytes(self, size: int) -> None:
        self.segment = SegmentSettings(interval=self.segment.interval, grace=Duration(1000), max_bytes=Size(size))

    def run(self, *, batch: int = 7, each_poll: Callable[[], None] | None = None, stop_after: int = MOST_POLLS) -> None:
        """Until all of the log is published, or so many polls were made, or `each_poll` stops the consumer."""
        clock = ManualClock(START + 24 * 3_600_000)
        self.registry = CollectorRegistry()
        self.polls = 0

        def step() -> None:
            self.polls += 1
            assert self.polls < MOST_POLLS, self.consumer.status()
            if each_poll is not None:
                each_poll()
            statuses = self.consumer.status()
            done = all(not status.failing and (status.last_end or 0) >= status.end_offset for status in statuses)
            if self.polls > stop_after or done:
                self.consumer.stop()

        def subscribe(listener: Listener) -> MemorySubscription:
            self.subscription = MemorySubscription(self.log, listener, clock, batch, step)
            return self.subscription

        self.consumer = Consumer(
            subscribe,
            self.bucket,
            recipe=make_recipe(
                self.segment, self.bounds, self.external_labels, "tenant_id", self.ha, label_window=self.label_window
            ),
            segment=self.segment,
            settings=self.settings,
            directory=self.directory,
            clock=clock,
            logger=self.logger,
            registry=self.registry,
        )
        self.consumer.run()

    def chain(self, partition: int = 0) -> list[Manifest]:
        return list(ManifestStore(self.bucket).chain(self.log.log_id, partition))

    def metric(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"forebay_consumer_{name}", labels)
        assert value is not None, name
        return value


def objects(bucket: Bucket) -> dict[str, bytes]:
    return {info.key: bucket.get(info.key) for info in bucket.list("")}


def stored(bucket: Bucket, manifests: list[Manifest], directory: Path) -> Samples:
    """Every sample of the blocks that the manifests name; fails where one is there twice."""
    found: Samples = {}
    for manifest in manifests:
        for block in manifest.blocks:
            local = directory / block.ulid
            for file in block.files:
                (local / file.path).parent.mkdir(parents=True, exist_ok=True)
                bucket.download(f"{block.ulid}/{file.path}", local / file.path)
            for labels, chunks in read_block(local).items():
                for timestamp, value in (sample for chunk in chunks for sample in decoded(chunk)):
                    assert isinstance(value, int)
                    assert (block.tenant, labels, timestamp) not in found
                    found[block.tenant, labels, timestamp] = value
    return found
