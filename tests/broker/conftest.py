"""An embedded log in a directory of the test's own, closed behind it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from broker.embedded import EmbeddedWriter
from broker.embedded_group import EmbeddedSubscription
from broker.embedded_group_view import EmbeddedGroupView
from broker.embedded_reader import EmbeddedReader
from broker.log import Listener
from broker.settings import EmbeddedSettings
from forebay.clock import Clock, SystemClock
from forebay.units import Duration


class SteppedClock(SystemClock):
    """Durations are real, so that threads wake; the wall clock is set by the test."""

    def __init__(self, now_ms: int = 1_700_006_400_000) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


class EmbeddedHarness:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SteppedClock()
        self._writers: list[EmbeddedWriter] = []
        self._readers: list[EmbeddedReader | EmbeddedSubscription] = []

    async def writer(self, settings: EmbeddedSettings | None = None, *, clock: Clock | None = None) -> EmbeddedWriter:
        settings = settings or EmbeddedSettings(retention=Duration.parse("1h"))
        writer = EmbeddedWriter(settings, self.directory, clock or self.clock, sweep_seconds=0.02)
        self._writers.append(writer)
        return writer

    def reader(self) -> EmbeddedReader:
        reader = EmbeddedReader(self.directory)
        self._readers.append(reader)
        return reader

    def subscription(self, group: str, listener: Listener, max_partitions: int | None = None) -> EmbeddedSubscription:
        subscription = EmbeddedSubscription(
            self.directory, group, listener, SystemClock(), max_partitions=max_partitions
        )
        self._readers.append(subscription)
        return subscription

    def group_view(self, group: str) -> EmbeddedGroupView:
        return EmbeddedGroupView(self.directory, group)

    async def close(self) -> None:
        for reader in self._readers:
            reader.close()
        for writer in self._writers:
            await writer.close()


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness(tmp_path / "log")
    yield harness
    await harness.close()
