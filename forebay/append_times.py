"""When records were appended: what turns a lag in records into one in seconds."""

from broker.log import LogReader


class AppendTimes:
    """Reads a record only where it was not asked for the last time. Thread-safe, as its log is."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self._known: dict[int, dict[int, int]] = {}

    def at(self, partition: int, offset: int) -> int | None:
        """Of the first record from `offset` on, ms; None at the log's end. Raises LogUnavailable, LogCorrupt."""
        known = self._known.get(partition, {})
        if offset in known:
            return known[offset]
        records = self._log.read(partition, offset, 1)
        if not records:
            return None
        # Two are asked for again and again: where the consumer is, and where the manifests end.
        newest = list(known.items())[-1:]
        self._known[partition] = dict([*newest, (offset, records[0].append_time)])
        return records[0].append_time

    def age(self, partition: int, offset: int, now_ms: int) -> float:
        """Seconds since that record was appended; 0 at the log's end. Raises as `at`."""
        return age(self.at(partition, offset), now_ms)


def age(append_time: int | None, now_ms: int) -> float:
    """Seconds since then; 0 for none, and where clocks disagree."""
    return 0.0 if append_time is None else round(max(0, now_ms - append_time) / 1000, 1)
