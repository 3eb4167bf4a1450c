"""Who reads the log without building: records of version 2 as version 1 says the same."""

import pytest

from consumers.errors import LabelsUnknown
from consumers.written_out import WrittenOut
from forebay.errors import InvalidData
from tests.consumers.head_oracle import Entry, named, record
from tests.consumers.memory_log import MemoryLog, MemoryReader
from tests.consumers.records_v2 import of_version_2
from tests.consumers.rehearsal import START
from wire.hashing import tenant_seed

LOOKS_BACK = 10_000
ENTRIES = [Entry(named(job=f"j{number}"), [(START, number + 1)]) for number in range(4)]


def log_of(*tenants: bytes) -> MemoryLog:
    """Labels at once, rows every second."""
    log = MemoryLog()
    for tenant in tenants:
        log.append(0, of_version_2(ENTRIES, seed=tenant_seed(tenant)), START, tenant=tenant, version=2)
    for number in range(1, 6):
        for tenant in tenants:
            value = of_version_2(in_rows=ENTRIES, seed=tenant_seed(tenant))
            log.append(0, value, START + 1000 * number, tenant=tenant, version=2)
    return log


def test_labels_are_looked_for_before_the_first_record() -> None:
    log = log_of(b"a", b"b")
    reader = MemoryReader(log)
    *_, first, last = log.partitions[0]
    written = WrittenOut(LOOKS_BACK)
    with pytest.raises(LabelsUnknown):
        written.value(first)
    written.look_back(reader, first)
    assert written.value(first) == written.value(last) == record(ENTRIES)
    short = WrittenOut(4999)
    short.look_back(reader, first)
    with pytest.raises(LabelsUnknown):
        short.value(first)


def test_version_1_and_what_is_no_record_pass() -> None:
    log = log_of(b"a")
    written = WrittenOut(LOOKS_BACK)
    plain = log.append(0, b"anything", START)
    assert written.value(plain) == b"anything"
    with pytest.raises(InvalidData):
        written.value(log.append(0, b"\xff", START, version=2))
    with pytest.raises(InvalidData):
        written.value(log.append(0, b"", START, tenant=b"", version=2))
    after = log.append(0, of_version_2(ENTRIES, seed=tenant_seed(b"a")), START, tenant=b"a", version=2)
    WrittenOut(LOOKS_BACK).look_back(MemoryReader(log), after)  # all of it lies before


def test_labels_do_not_pile_up() -> None:
    """Each series once, under a label of its own: what is older than two stretches is known no more."""
    log = MemoryLog()
    written = WrittenOut(LOOKS_BACK)
    entries = [[Entry(named(job=f"j{number}"), [(START, number + 1)])] for number in range(50)]
    for number, each in enumerate(entries):
        value = of_version_2(each, seed=tenant_seed(b"a"))
        taught = log.append(0, value, START + 1000 * number, tenant=b"a", version=2)
        assert written.value(taught) == record(each)

    def resolves(number: int) -> bool:
        value = of_version_2(in_rows=entries[number], seed=tenant_seed(b"a"))
        row = log.append(0, value, START + 49_000, tenant=b"a", version=2)
        try:
            return written.value(row) == record(entries[number])
        except LabelsUnknown:
            return False

    assert all(resolves(number) for number in range(39, 50))
    assert not any(resolves(number) for number in range(28))
