"""A segment that has ended, on its way into the bucket: built and published beside the loop that reads the log."""

import contextlib
import itertools
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from bucket.workspace import Workspace
from consumers.builder import Builder
from consumers.metrics import ConsumerMetrics
from consumers.publisher import Published, Publisher
from consumers.retry import Backoff, Retry
from consumers.segment import Segment
from consumers.settings import ConsumerSettings
from forebay.clock import Clock
from forebay.errors import Retryable


class StagingUnavailable(Retryable):
    """The local directory does not take or give a block: disk full, or swept away."""


class Sealing:
    """What is known of one ended segment until its manifest stands."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.result: Future[Published] = Future()
        """Abandoned once `abandon` was called; Fatal where it cannot be done at all."""
        self.stop = threading.Event()
        self.failing = ""
        """Why the last attempt failed; empty while all goes well."""

    def abandon(self) -> None:
        """Ends soon, wherever it is; what it wrote does no harm."""
        self.stop.set()


class Sealer:
    """Builds in one pool and publishes from another, so that a slow bucket does not keep other segments from building.

    `directory` holds blocks between the two, in a subdirectory of this process. It is a cache: what dead processes left
    is removed at start, and what vanishes is rebuilt from the heads.
    """

    def __init__(
        self,
        builder: Builder,
        publisher: Publisher,
        directory: Path,
        *,
        confirm: Callable[[], None],
        settings: ConsumerSettings,
        clock: Clock,
        logger: FilteringBoundLogger,
        metrics: ConsumerMetrics,
    ) -> None:
        """`confirm` is the subscription's."""
        self._builder = builder
        self._publisher = publisher
        self._directory = directory
        self._workspace = Workspace(directory, "consumer")
        self._confirm = confirm
        self._settings = settings
        self._clock = clock
        self._logger = logger
        self._metrics = metrics
        self._numbers = itertools.count(1)
        self._pool = ThreadPoolExecutor(settings.publish_threads, thread_name_prefix="publish")
        with contextlib.suppress(OSError):  # the first segment asks again, waits, and says why
            self._workspace.directory()

    def start(self, segment: Segment) -> Sealing:
        """Returns at once."""
        sealing = Sealing(segment)
        sealing.result = self._pool.submit(self._seal, sealing)
        return sealing

    def close(self) -> None:
        """Waits for the end of what was started; abandon it first. May be called twice."""
        self._pool.shutdown(cancel_futures=True)
        self._builder.close()
        self._workspace.close()

    def _seal(self, sealing: Sealing) -> Published:
        backoff = partial(Backoff, self._settings.retry_min.seconds, self._settings.retry_max.seconds)
        retry = Retry(sealing.stop, backoff, partial(self._failed, sealing))
        retry.until_done(self._confirm)
        return retry.until_done(partial(self._attempt, sealing, retry))

    def _attempt(self, sealing: Sealing, retry: Retry) -> Published:
        began = self._clock.monotonic()
        try:
            directory = self._workspace.directory() / f"{next(self._numbers)}"
            try:
                built = self._builder.build(sealing.segment, directory)
                self._metrics.build_seconds.observe(self._clock.monotonic() - began)
                published = self._publisher.publish(built, retry)
            finally:
                shutil.rmtree(directory, ignore_errors=True)
        except OSError as error:
            raise StagingUnavailable(
                f"cannot stage a block: directory={self._directory} error={error}",
                hint="make room there, or point --data.dir at another disk",
            ) from error
        self._metrics.publish_seconds.observe(self._clock.monotonic() - began)
        sealing.failing = ""
        return published

    def _failed(self, sealing: Sealing, error: Retryable, wait: float) -> None:
        sealing.failing = str(error)
        self._metrics.publish_failures.inc()
        self._logger.warning(
            "segment is not published yet",
            partition=sealing.segment.partition,
            start=sealing.segment.start,
            error=str(error),
            retry_seconds=round(wait, 3),
        )
