"""Records of either version as version 1, for those who read the log and build nothing."""

import contextlib

from broker.log import LogReader, Record
from broker.record import tenant_of, version_of
from consumers.head import Bounds, Head
from forebay.errors import InvalidData
from wire.hashing import tenant_seed

_READ_BYTES = 1 << 20
_NO_SAMPLES = Bounds(max_age=0, max_future=0, max_windows=1)


class WrittenOut:
    """Offer it the records of each partition in log order. Not thread-safe.

    Remembers the labels of the last `looks_back` of append time, and of as long before that.
    """

    def __init__(self, looks_back: int) -> None:
        self._looks_back = looks_back
        self._heads: dict[int, dict[bytes, Head]] = {}
        self._renewed: dict[int, tuple[int, int]] = {}

    def look_back(self, log: LogReader, before: Record) -> None:
        """Learns the labels that the first record of a partition may rely on. Raises as `log.read`."""
        offset = log.offset_for_time(before.partition, before.append_time - self._looks_back)
        while offset < before.offset and (records := log.read(before.partition, offset, _READ_BYTES)):
            for record in records:
                if record.offset < before.offset:
                    self._learn(record)
            offset = records[-1].offset + 1

    def value(self, record: Record) -> bytes:
        """Its value as version 1 has it.

        Raises:
            LabelsUnknown: it names a series by a hash whose labels were not seen; what it teaches is learned.
            InvalidData: it cannot be decoded.
            UnsupportedRecord: a newer version wrote it.
        """
        if version_of(record) == 1:
            return record.value
        return self._head(record).expand(record.value, record.offset)

    def _learn(self, record: Record) -> None:
        with contextlib.suppress(InvalidData):
            if not record.damaged and version_of(record) == 2:
                self._head(record).teach(record.value, record.offset)

    def _head(self, record: Record) -> Head:
        """Raises InvalidData where the record names no tenant."""
        tenant = tenant_of(record).encode()
        heads = self._heads.setdefault(record.partition, {})
        since, at = self._renewed.setdefault(record.partition, (record.offset, record.append_time))
        if record.append_time > at + self._looks_back:
            heirs = {name: head.heir(since) for name, head in heads.items()}
            heads = self._heads[record.partition] = {name: head for name, head in heirs.items() if head.known}
            self._renewed[record.partition] = (record.offset, record.append_time)
        head = heads.get(tenant)
        if head is None:
            head = heads[tenant] = Head(seed=tenant_seed(tenant), window_ms=1, bounds=_NO_SAMPLES)
        return head
