"""Backpressure: which partitions may be read on, so that heads stay within their memory."""

from collections.abc import Collection

from consumers.partition import Partition

RELAX = 0.8
"""Share of the bound below which all partitions are read again, so that they do not stop and start at every record."""


class Flow:
    """Decides by memory held and by what is on its way into the bucket; never stops all of it for good.

    - A partition whose open segment has ended waits until the one before is published.
    - Above the bound nothing is read while segments are being sealed: each that is published gives memory back.
    - Above the bound with nothing being sealed, only more records can end a segment: the partition with the nearest
      mark is read alone until its segment ends. So memory exceeds the bound by one segment at most.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self.tight = False
        """Whether the bound was reached and memory has not relaxed since."""

    def readable(self, partitions: Collection[Partition], abandoned_bytes: int = 0) -> set[int]:
        """Numbers of the partitions to read now. `abandoned_bytes`: still held by segments of lost partitions."""
        held = abandoned_bytes + sum(partition.memory_bytes for partition in partitions)
        self.tight = held > (self._bound * RELAX if self.tight else self._bound)
        able = [partition for partition in partitions if partition.located and not partition.waiting]
        if not self.tight:
            return {partition.number for partition in able}
        if abandoned_bytes or any(partition.sealing for partition in partitions):
            return set()
        return {min(able, key=_nearest).number} if able else set()


def _nearest(partition: Partition) -> tuple[float, int]:
    mark = partition.open.mark if partition.open else None
    return (float("inf") if mark is None else mark, partition.number)
