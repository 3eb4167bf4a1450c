"""Segments, read out of the log again: beside the group, and without a word to it."""

import threading
from collections.abc import Callable, Iterator

from broker.log import LogReader, Record
from broker.record import is_version_2
from bucket.manifest import EndedBy, Followed, Manifest, Recipe
from consumers.recipe import BUILDER_VERSION
from consumers.retry import Abandoned
from consumers.segment import Segment, open_segment
from forebay.clock import Clock
from forebay.errors import InvalidData

_READ_BYTES = 16 << 20


class CannotRebuild(InvalidData):
    """The log does not hold what this segment was built from."""


class ReplayLog:
    """Reads with a LogReader alone. `advance` is told how far a partition was read; `stop` ends it with Abandoned."""

    def __init__(
        self,
        reader: LogReader,
        *,
        clock: Clock,
        grace: int,
        stop: threading.Event,
        advance: Callable[[int, int], None],
    ) -> None:
        self.reader = reader
        self._clock = clock
        self._grace = grace
        self._stop = stop
        self._advance = advance

    def go_on(self) -> None:
        """Raises Abandoned once nobody wants it any more."""
        if self._stop.is_set():
            raise Abandoned("interrupted")

    def check(self, manifest: Manifest) -> None:
        """Raises CannotRebuild where this version and this log cannot make the manifest's blocks. Cheap."""
        if manifest.recipe.builder != BUILDER_VERSION:
            raise CannotRebuild(
                f"it was built by another version: builder={manifest.recipe.builder} this={BUILDER_VERSION}",
                hint="replay it with the version of forebay that built it",
            )
        self.check_records(manifest)

    def check_records(self, manifest: Manifest) -> None:
        """Raises CannotRebuild where not all records of its segment are in the log. Cheap."""
        self._check_there(manifest.log_id, manifest.partition, _first(manifest), manifest.end)

    def check_hole(self, log_id: str, partition: int, start: int, until: int | None) -> None:
        """Raises CannotRebuild where records from `start` on are gone, or before `until`. Cheap."""
        if until is None and log_id == self.reader.log_id:
            until = max(start + 1, self.reader.start_offset(partition))
        self._check_there(log_id, partition, start, start + 1 if until is None else until)

    def standing(self, manifest: Manifest) -> Segment:
        """The records of a manifest's segment, by its recipe, ended where and as it says.

        Raises as `check`, and UnsupportedRecord, LogUnavailable, Abandoned.
        """
        self.check(manifest)
        segment = open_segment(
            manifest.log_id, manifest.partition, manifest.start, manifest.recipe, manifest.followed_before
        )
        for record in self._records(manifest.partition, _first(manifest)):
            if record.offset >= manifest.end:
                break
            self._take(segment, record, manifest.recipe)
        self._check_labels(segment, len(manifest.quarantined))
        segment.ended_by = manifest.ended_by
        return segment

    def next(
        self, partition: int, start: int, recipe: Recipe, until: int | None, followed: tuple[Followed, ...]
    ) -> Segment | None:
        """The segment that begins at `start`, where no manifest says its end: the cutter decides, as for the group.

        None where it is still open: the log ends in it. `until` is where it ends at the latest: by "replay", where the
        cutter would let it go on. That the records are there must have been checked.
        `followed` is what the segment before ended with.

        Raises UnsupportedRecord, LogUnavailable, Abandoned, and CannotRebuild where the log ends before `until`.
        """
        now = self._clock.now_ms()  # before the end is seen: Cutter.idle_after
        segment = open_segment(self.reader.log_id, partition, start, recipe, followed)
        for record in self._records(partition, start):
            segment.ended_by = segment.ends_before(record)
            if segment.ended_by is None and until is not None and record.offset >= until:
                segment.ended_by = "replay"
            if segment.ended_by is None:
                segment.ended_by = self._take(segment, record, recipe)
            if segment.ended_by is not None:
                return segment
        if segment.records and segment.idle_after(now, self._grace):
            segment.ended_by = "idle"
            return segment
        if until is None:
            return None
        if segment.end != until:
            raise CannotRebuild(
                f"the log ends before its manifests: partition={partition} log_end={segment.end} manifest_end={until}",
                hint="this is an older copy of the log: put the newest back",
            )
        segment.ended_by = "replay"
        return segment

    def _take(self, segment: Segment, record: Record, recipe: Recipe) -> EndedBy | None:
        """As `Segment.append`, once the labels that the record may rely on are known."""
        if segment.labels_from is None and is_version_2(record):
            first, append_time = record.offset, record.append_time
            if segment.records:
                first, append_time = segment.first_offset, segment.first_append_time
            start = self.reader.offset_for_time(segment.partition, append_time - recipe.looks_back)
            for earlier in self._records(segment.partition, start, quietly=True):
                if earlier.offset >= record.offset:
                    break
                segment.teach(earlier)
            segment.labels_from = min(start, first)
        return segment.append(record)

    def _check_labels(self, segment: Segment, quarantined: int) -> None:
        """Raises CannotRebuild where more records stand alone now than when the segment was built."""
        if segment.unresolved and len(segment.poison) > quarantined:
            raise CannotRebuild(
                f"labels that its records rely on are gone from the log: records={segment.unresolved} "
                f"labels_from={segment.labels_from} log_start={self.reader.start_offset(segment.partition)}",
                hint="restore what is missing from a copy of the bucket; raise the log's retention for the next time",
            )

    def _check_there(self, log_id: str, partition: int, start: int, end: int) -> None:
        if log_id != self.reader.log_id:
            raise CannotRebuild(
                f"its log is not the one of the settings: records={end - start} log_id={log_id} "
                f"log_id_now={self.reader.log_id}",
                hint="name that log in the settings file (broker, --data.dir), where it is still there",
            )
        oldest, newest = self.reader.start_offset(partition), self.reader.end_offset(partition)
        gone = min(max(oldest - start, 0), end - start) + min(max(end - max(newest, start), 0), end - start)
        if gone:
            raise CannotRebuild(
                f"records are gone from the log: gone={gone} of={end - start} log_start={oldest} log_end={newest}",
                hint="restore what is missing from a copy of the bucket; raise the log's retention for the next time",
            )

    def _records(self, partition: int, offset: int, *, quietly: bool = False) -> Iterator[Record]:
        """To the end of the log as it is when it is reached; `quietly`, what is read is no progress."""
        while records := self.reader.read(partition, offset, _READ_BYTES):
            self.go_on()
            self.reader.confirm()
            if not quietly:
                self._advance(partition, offset)
            yield from records
            offset = records[-1].offset + 1


def _first(manifest: Manifest) -> int:
    return manifest.gap[1] if manifest.gap else manifest.start
