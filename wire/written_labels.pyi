from collections.abc import Sequence

from wire.series_set import SeriesBudget

class WrittenLabels:
    """The series of one tenant whose labels this gateway has written lately, each with its partition and append time.

    A series costs 27 to 64 bytes. Where the budget is used up, new series are not kept, and keep their labels.

    Thread-safe; no method keeps the GIL while it looks at the table, which one thread does at a time.
    """

    def __init__(self, budget: SeriesBudget, partitions: int, window_ms: int) -> None:
        """`window_ms` is R of docs/decisions/0021-labels-once.md."""
    def __len__(self) -> int:
        """Series that it knows, some of which may be too old to rely on until `sweep`."""
    @property
    def memory(self) -> int:
        """Bytes."""
    @property
    def partitions(self) -> int: ...
    @property
    def unplaced(self) -> int:
        """Series that were not kept for want of memory; each time."""
    def sweep(self, now_ms: int) -> None:
        """Forgets labels that are older than the window by the log's time; takes about 20 ns a series."""

class LabelNotes:
    """What the records of one request rely on, and what they teach once they are durable. Made by a router."""

    @property
    def labelled(self) -> int:
        """Entries that have their labels."""
    def learn(self, appended: Sequence[tuple[int, int]]) -> list[int]:
        """Told where each record lies now, its offset and append time (-1 where that is unknown). Once.

        Returns the indices of records that rely on labels which may be too far behind them to be found: what they hold
        must be appended again with labels before anybody is told that it is stored. A log that is not the one that
        labels were written to (offsets or times went back) is one whose labels are all unknown.

        Raises:
            ValueError: these are not as many places as records.
        """
