"""Which records the embedded log lets go, and when it is full."""

from broker.embedded_commits import Commits
from broker.embedded_store import EmbeddedStore
from broker.settings import EmbeddedSettings

_STEP_BYTES = 8 << 20
_EVER = (1 << 63) - 1


class Retention:
    """Removes committed records that are too old, and the oldest committed ones while the log is too large.

    A record counts as committed once any group has committed past it. One that is not stays, whatever its age and the
    log's size: it was acknowledged and may exist nowhere else. Nor does a record of version 2 go whose labels one
    that is not committed may rely on: consumers look back two label windows from where they begin.

    The file keeps its size while records come and go, since freed pages are used again; once more than half of them
    are free, it shrinks.
    """

    def __init__(self, store: EmbeddedStore, commits: Commits, settings: EmbeddedSettings, label_window: int) -> None:
        self._store = store
        self._commits = commits
        self._settings = settings
        self._looks_back = 2 * label_window
        # Begins a little early, so that a log with enough committed records is never full.
        self._wanted_bytes = settings.retention_bytes * 95 // 100
        self._step_bytes = min(_STEP_BYTES, settings.retention_bytes // 50)

    def is_large(self) -> bool:
        """Whether `step` has reason to look at once, rather than now and then."""
        return self._store.used_bytes() > self._wanted_bytes

    def is_full(self) -> bool:
        return self._store.used_bytes() >= self._settings.retention_bytes

    def step(self, now_ms: int) -> bool:
        """Removes a few records; False when there was nothing to remove. Raises as `EmbeddedStore`, and OSError."""
        committed = self._commits.furthest()
        oldest = {
            partition: record
            for partition in range(self._settings.partitions)
            if (record := self._store.oldest(partition)) is not None and record.offset < committed.get(partition, 0)
        }
        if not oldest:
            return self._store.give_back()
        partition = min(oldest, key=lambda partition: oldest[partition].append_time)
        before = now_ms - self._settings.retention
        if self.is_large():
            before = _EVER
        elif oldest[partition].append_time >= before:
            return self._store.give_back()
        reads_from = self._store.time_at(partition, committed[partition])
        teaching_before = (now_ms if reads_from is None else reads_from) - self._looks_back
        removed = self._store.drop(
            partition, committed[partition], before, teaching_before=teaching_before, max_bytes=self._step_bytes
        )
        return removed or self._store.give_back()
