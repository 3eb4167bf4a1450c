"""`forebay quarantine replay`: appends to the log again what this version can decode.

For each record: labels into it (version 2) -> decode -> append to its own partition -> acknowledged -> tombstone ->
removed from the quarantine.
Killed before the tombstone, it is appended once more by the next replay, and those samples are counted as duplicates.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from broker.log import LogReader, LogUnavailable, LogWriter, NewRecord
from broker.open import open_reader, open_writer
from broker.quarantine import QuarantinedRecord, Settled
from broker.record import without_replica
from bucket.bucket import Bucket
from bucket.manifest import Recipe
from consumers.quarantine import BucketQuarantine
from consumers.verdict import Verdict, judge
from forebay.clock import Clock, SystemClock
from forebay.errors import ForebayError, InvalidData
from forebay.exit_codes import FAILED, OK
from forebay.flags import Flags
from forebay.parts import LOG, settings_recipe
from forebay.quarantine_labels import with_labels
from forebay.quarantine_selection import Found, select, shown_id
from forebay.quarantine_show import tell
from forebay.settings import Settings

_Done = Literal["replayed", "left", "would be replayed"]


class Appender:
    """The log's writer, outside of a role; opened when it is first needed. For one thread."""

    def __init__(self, settings: Settings, directory: Path, clock: Clock) -> None:
        self._settings = settings
        self._directory = directory
        self._clock = clock
        self._runner = asyncio.Runner()
        self._writer: LogWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._runner.run(self._writer.close())
        self._runner.close()

    def open(self) -> LogWriter:
        """Raises Fatal, also where another process writes to an embedded log; LogUnavailable where there is no log."""
        if self._writer is None:
            open_reader(self._settings.broker, self._directory).close()  # a writer would make a log
            self._writer = open_writer(self._settings.broker, self._directory, self._clock)
        return self._writer

    def open_reader(self) -> LogReader:
        """Raises Fatal; LogUnavailable where there is no log."""
        return open_reader(self._settings.broker, self._directory)

    def append(self, record: QuarantinedRecord) -> None:
        """Durable when it returns; its bytes, key and headers as they were. Raises what the log's writer does.

        Only its HA replica is no longer named, or it would be left out where another one is followed by now.
        To the same partition, so that its series stay together. Where this log has fewer, any will do: readers merge
        a series that lies in two.
        """
        writer = self.open()
        partition = record.partition % writer.partitions
        headers = without_replica(record.headers)
        self._runner.run(self._append(writer, NewRecord(partition, record.key, record.value, headers)))

    async def _append(self, writer: LogWriter, record: NewRecord) -> None:
        seconds = self._settings.gateway.append_timeout.seconds
        try:
            async with asyncio.timeout(seconds):
                await writer.append([record])
        except TimeoutError as error:
            raise LogUnavailable(f"log did not confirm in time: timeout={seconds:g}s") from error


def replay(flags: Flags, settings: Settings, bucket: Bucket) -> int:
    """A line for each record, and a sum; FAILED where one was left."""
    clock = SystemClock()
    quarantine = BucketQuarantine(bucket)
    if not flags.quarantine.dry_run:
        quarantine.finish_settled()
    with Appender(settings, flags.data_dir / LOG, clock) as appender:
        turn = _Turn(quarantine, appender, settings_recipe(settings), clock, flags)
        return turn.run(select(quarantine, flags.quarantine))


class _Turn:
    """One run of the command."""

    def __init__(
        self, quarantine: BucketQuarantine, appender: Appender, recipe: Recipe, clock: Clock, flags: Flags
    ) -> None:
        self._quarantine = quarantine
        self._appender = appender
        self._recipe = recipe
        self._clock = clock
        self._partial = flags.quarantine.partial
        self._dry_run = flags.quarantine.dry_run
        self._log_failed = False

    def run(self, chosen: Iterable[Found]) -> int:
        counts: Counter[_Done] = Counter()
        for found in chosen:
            done, why = self._one(found)
            counts[done] += 1
            sys.stdout.write(f"{done} {shown_id(found.id)}: {why}\n")
            if self._log_failed:
                sys.stdout.write("stopped, since the log does not take records now\n")
                break
        sums = ", ".join(f"{count} {done}" for done, count in sorted(counts.items(), reverse=True))
        sys.stdout.write(f"{sums or 'nothing in the quarantine matches'}\n")
        return FAILED if counts["left"] else OK

    def _one(self, found: Found) -> tuple[_Done, str]:
        """Raises what opening the log does."""
        record = found.record
        if record is None:
            return "left", found.reason
        try:
            pieces = with_labels(record, self._appender.open_reader, 2 * self._recipe.looks_back)
        except InvalidData as error:
            return "left", f"cannot be decoded: {error}"
        verdicts = [judge(piece.record(), self._recipe, self._clock.now_ms()) for piece in pieces]
        if objection := next(filter(None, map(self._objection, verdicts)), ""):
            return "left", objection
        told = "; ".join(map(tell, verdicts))
        if self._dry_run:
            return "would be replayed", told
        self._appender.open()
        try:
            for piece in pieces:
                self._appender.append(piece)
        except ForebayError as error:
            self._log_failed = True
            return "left", f"{error}; it may be in the log all the same, and to replay it again does no harm"
        self._quarantine.settle(Settled.of(record, "replayed", self._clock.now_ms()))
        return "replayed", told

    def _objection(self, verdict: Verdict) -> str:
        ledger = verdict.ledger
        if ledger is None:
            return tell(verdict)
        if not verdict.rejected:
            return ""
        if verdict.rejected == ledger.samples:
            return f"{tell(verdict)}; that is all of them (hint: {_RAISE})"
        return "" if self._partial else f"{tell(verdict)} (hint: {_RAISE}; or give --partial to store the others)"


_RAISE = "raise limits.max_age or limits.max_future, for this command and for consumers, until they are stored"
