"""The embedded log's writer: requests queue up, one thread commits everything that waits in one transaction.

append() --> queue --> writer thread: compress, BEGIN .. COMMIT (one fsync) --> one wake-up of the event loop
                                    then, when due: checkpoint, a step of retention
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from broker import embedded_file
from broker.embedded_commits import Commits
from broker.embedded_retention import Retention
from broker.embedded_store import EmbeddedStore
from broker.flock import FileLock
from broker.log import Appended, LogFull, LogUnavailable, NewRecord
from broker.record import LABEL_WINDOW
from broker.settings import EmbeddedSettings
from forebay.clock import Clock
from forebay.errors import Fatal, ForebayError, InvalidData, Retryable

_RECORD_BYTES = 64
"""What a record costs in the queue besides its bytes, so that empty ones are bounded too."""


class _Request(NamedTuple):
    records: Sequence[NewRecord]
    size: int
    done: asyncio.Future[list[Appended]]


class EmbeddedWriter:
    """A LogWriter. One per directory: a second one, in whatever process, is refused.

    Disk trouble fails the requests it meets with LogUnavailable, and the next ones try again. Damage is final: every
    later append raises the same LogCorrupt.
    """

    def __init__(
        self,
        settings: EmbeddedSettings,
        directory: Path,
        clock: Clock,
        *,
        label_window: int = LABEL_WINDOW,
        sweep_seconds: float = 1.0,
    ) -> None:
        """Blocks while it opens. Raises Fatal, LogCorrupt, LogUnavailable.

        `label_window` is that of the broker's settings, ms; `sweep_seconds`: how often retention looks for work.
        """
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / embedded_file.WRITER_LOCK
            lock = FileLock.acquire(path)
            if lock is None:
                raise Fatal(
                    f"another process writes to this log directory={directory} pid={FileLock.holder(path)}",
                    hint=f"stop process {FileLock.holder(path)}, or give this one a data directory of its own",
                )
        except OSError as error:
            raise Fatal(
                f"log directory cannot be used directory={directory} error={error}",
                hint="check its permissions and its disk",
            ) from error
        self._lock = lock
        try:
            self._store = EmbeddedStore(directory, settings.partitions)
        except BaseException:
            lock.release()
            raise
        self._settings = settings
        self._clock = clock
        self._retention = Retention(self._store, Commits(directory / embedded_file.COMMITS), settings, label_window)
        self._sweep_seconds = sweep_seconds
        self._next_sweep = clock.monotonic()
        self._next_probe = 0.0
        self._backlog = 0  # touched on the event loop only
        self._full = False
        self._failure: ForebayError | None = None
        self._trouble = ""
        self._waiting: list[_Request] = []
        self._closing = False
        self._wake = threading.Condition()  # guards the two above
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def log_id(self) -> str:
        return self._store.log_id

    @property
    def partitions(self) -> int:
        return self._settings.partitions

    @property
    def commits(self) -> int:
        """Transactions of records so far; fewer than appends where those waited together."""
        return self._store.commits

    @property
    def is_full(self) -> bool:
        """At its size bound with records that no group has committed past; appends raise LogFull."""
        return self._full

    def backlog_bytes(self) -> int:
        return self._backlog

    @property
    def problem(self) -> str:
        if self._failure is not None:
            return str(self._failure)
        return str(self._at_its_size()) if self._full else self._trouble

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if self._failure is not None:
            raise self._failure
        for record in records:
            if not 0 <= record.partition < self._settings.partitions:
                raise InvalidData(f"no such partition partition={record.partition} partitions={self.partitions}")
        if not records:
            return []
        size = sum(len(record.value) + len(record.key) + _RECORD_BYTES for record in records)
        if self._full:
            raise self._at_its_size()
        # A request larger than the whole queue would never get in, so an empty queue takes any.
        if self._backlog and self._backlog + size > self._settings.queue_bytes:
            raise LogFull(
                f"too many bytes wait for the log waiting={self._backlog} request={size} "
                f"bound={self._settings.queue_bytes}",
                hint="the disk is too slow for this load; raise broker.embedded.queue_bytes for bursts",
            )
        request = _Request(records, size, asyncio.get_running_loop().create_future())
        with self._wake:
            if self._closing:
                raise LogUnavailable("log writer is closed")
            self._waiting.append(request)
            self._wake.notify()
        self._backlog += size
        return await request.done

    async def close(self) -> None:
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    def _run(self) -> None:
        try:
            while (batch := self._take()) is not None:
                if batch:
                    self._commit(batch)
                if self._failure is None:
                    self._maintain()
        except Exception as error:  # noqa: BLE001 - a mistake of ours: the next append tells it
            self._failure = _mistake(error)
        finally:
            # After a failure nobody takes from the queue any more.
            with self._wake:
                self._closing = True
                batch, self._waiting = self._waiting, []
            if batch:
                self._fail(batch, self._failure or LogUnavailable("log writer has stopped"))
            self._store.close()

    def _take(self) -> list[_Request] | None:
        """Everything that waits; empty when it is time to look after the log; None when closed and done."""
        with self._wake:
            if not self._waiting and not self._closing:
                self._wake.wait(max(0.0, self._next_sweep - self._clock.monotonic()))
            if not self._waiting and self._closing:
                return None
            batch, self._waiting = self._waiting, []
            return batch

    def _commit(self, batch: list[_Request]) -> None:
        if self._failure is not None:
            self._fail(batch, self._failure)
            return
        try:
            records = [record for request in batch for record in request.records]
            appended = self._store.append(records, self._clock.now_ms())
        except ForebayError as error:
            if not isinstance(error, Retryable):
                self._failure = error
            self._trouble = str(error)
            self._fail(batch, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, these requests wait for an answer
            self._failure = _mistake(error)
            self._fail(batch, self._failure)
        else:
            self._trouble = ""
            found = iter(appended)
            self._answer(batch, [list(itertools.islice(found, len(request.records))) for request in batch])

    def _fail(self, batch: list[_Request], error: ForebayError) -> None:
        self._answer(batch, [error] * len(batch))

    def _answer(self, batch: list[_Request], answers: "Sequence[list[Appended] | ForebayError]") -> None:
        # A closed event loop has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            batch[0].done.get_loop().call_soon_threadsafe(self._resolve, batch, answers)

    def _resolve(self, batch: list[_Request], answers: "Sequence[list[Appended] | ForebayError]") -> None:
        for request, answer in zip(batch, answers, strict=True):
            self._backlog -= request.size
            if request.done.done():
                continue  # its sender has gone
            if isinstance(answer, ForebayError):
                request.done.set_exception(answer)
            else:
                request.done.set_result(answer)

    def _at_its_size(self) -> LogFull:
        return LogFull(
            f"log has reached its size and no group has committed past its records "
            f"bytes={self._settings.retention_bytes}",
            hint="start a consumer, or raise broker.embedded.retention_bytes",
        )

    def _maintain(self) -> None:
        """Checkpoint, retention, whether trouble has passed: a step at a time, so that requests do not wait long."""
        now = self._clock.monotonic()
        try:
            self._store.checkpoint_if_due()
            if now >= self._next_sweep or self._retention.is_large():
                more = self._retention.step(self._clock.now_ms())
                self._next_sweep = now if more else now + self._sweep_seconds
            self._full = self._retention.is_full()
            if self._trouble and now >= self._next_probe:
                # A gateway that is not ready may get no requests that could find out that all is well again.
                self._next_probe = now + self._sweep_seconds
                self._store.probe()
                self._trouble = ""
        except (Retryable, OSError):
            # Nothing is lost by doing this later, and trouble that stays is told to the next append by its own error.
            self._next_sweep = now + self._sweep_seconds
        except ForebayError as error:
            self._failure = error


def _mistake(error: Exception) -> Fatal:
    failure = Fatal(f"embedded log failed error={error!r}", hint="this is a bug in forebay; restart, and report it")
    failure.__cause__ = error
    return failure
