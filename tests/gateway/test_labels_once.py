"""Records of version 2 from socket to log: what is left out can be found, or nobody is told that it is stored."""

import asyncio
from collections.abc import Iterable, Sequence

import pytest
import snappy

from broker.log import Appended, LogUnavailable, NewRecord, Record
from broker.record import version_of
from forebay.clock import ManualClock
from gateway.label_tables import LabelTables
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, message
from tests.wire.record_v2 import RecordV2, decode, taught
from wire.hashing import tenant_seed

R = 400_000
SERIES = 20
TENANT = "default-tenant"
SEED = tenant_seed(TENANT.encode())


def body_of(series: Iterable[int] = range(SERIES)) -> bytes:
    return message(*(({"__name__": "up", "n": str(n)}, [(NOW_MS, float(n))]) for n in series))


BODY = snappy.compress(body_of())


class TimedLog(FakeLog):
    """Keeps when each record was appended, and fails in more ways."""

    def __init__(self) -> None:
        super().__init__()
        self.append_time = NOW_MS
        self.times: list[int] = []
        self.free = 0
        """So many appends go well, whatever else is set."""
        self.opens: asyncio.Event | None = None
        """What others wait for."""
        self.stores_what_fails = False
        self.tells = True
        """Where records lie."""

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        self.free -= 1
        if self.free < 0 and self.opens is not None:
            self.reached.set()
            await self.opens.wait()
        if self.free < 0 and self.error is not None and not self.stores_what_fails:
            raise self.error
        self.records += records
        self.times += [self.append_time] * len(records)
        places = [self._append(record.partition) for record in records]
        if self.free < 0 and self.error is not None:
            raise self.error
        return places if self.tells else [Appended(-1, -1) for _ in places]


@pytest.fixture
def log() -> TimedLog:
    return TimedLog()


@pytest.fixture
def labels(clock: ManualClock) -> LabelTables:
    return LabelTables(clock, memory=1 << 20, window_ms=R)


@pytest.fixture
async def gateway(make_gateway: MakeGateway, labels: LabelTables, log: TimedLog) -> Gateway:
    return await make_gateway(labels=labels)


def decoded(records: Iterable[NewRecord]) -> list[RecordV2]:
    return [decode(bytes(record.value)) for record in records]


def labelled(records: Iterable[NewRecord]) -> int:
    return sum(len(record.labelled) for record in decoded(records))


def rows(records: Iterable[NewRecord]) -> int:
    return sum(len(record.rows) for record in decoded(records))


def unresolved(log: TimedLog) -> list[int]:
    """Offsets, by their place in `log.records`, of records that a consumer could not read: by the rule, slowly.

    The log is read as one segment that begins with the record in question.
    """
    found = []
    for number, (record, time) in enumerate(zip(log.records, log.times, strict=True)):
        known: set[bytes] = set()
        for before, then in zip(log.records[: number + 1], log.times, strict=False):
            if (before.partition, before.key) == (record.partition, record.key) and then >= time - R:
                known |= taught(decode(bytes(before.value)), SEED).keys()
        mine = decode(bytes(record.value))
        if not {row.hash for row in mine.rows} | {hashed for hashed, _ in mine.hashed} <= known:
            found.append(number)
    return found


async def test_labels_stand_in_the_log_once(gateway: Gateway, log: TimedLog) -> None:
    for _ in range(3):
        assert (await gateway.write(BODY))[0] == 204
    count = len(log.records) // 3
    assert (labelled(log.records[:count]), rows(log.records[:count])) == (SERIES, 0)
    assert (labelled(log.records[count:]), rows(log.records[count:])) == (0, 2 * SERIES)
    assert unresolved(log) == []
    assert all(dict(record.headers)["forebay-version"] == b"2" for record in log.records)
    assert gateway.count("forebay_gateway_labelled_series_total") == SERIES
    assert gateway.count("forebay_gateway_known_labels") == SERIES


async def test_labels_are_written_anew_within_the_window(gateway: Gateway, log: TimedLog, clock: ManualClock) -> None:
    for _ in range(64):
        assert (await gateway.write(BODY))[0] == 204
        clock.advance(R / 1000 / 16)
        log.append_time += R // 16
    assert unresolved(log) == []
    assert 4 * SERIES <= labelled(log.records) <= 7 * SERIES
    assert gateway.count("forebay_gateway_label_rewrites_total") == 0


async def test_the_answer_waits_for_labels_that_lie_too_far_back(
    gateway: Gateway, log: TimedLog, clock: ManualClock
) -> None:
    assert (await gateway.write(BODY))[0] == 204
    first = len(log.records)
    clock.advance(R / 2000)
    log.append_time += R + 1  # the broker's clock jumps, or the append took long
    log.opens = asyncio.Event()
    log.free = 1
    writing = asyncio.ensure_future(gateway.write(BODY))
    await log.reached.wait()
    rewritten = log.records[first:]
    assert rows(rewritten) == SERIES
    assert not writing.done()
    log.opens.set()
    assert (await writing)[0] == 204
    again = log.records[first + len(rewritten) :]
    assert (labelled(again), rows(again)) == (SERIES, 0)
    assert gateway.count("forebay_gateway_label_rewrites_total") == len(again)
    # What could not be read was not what the sender was told of: all of it stands behind, with labels.
    assert unresolved(log) == list(range(first, first + len(rewritten)))
    assert (await gateway.write(BODY))[0] == 204
    assert rows(log.records[first + 2 * len(rewritten) :]) == SERIES  # the rewrite was learned


async def test_where_the_rewrite_fails_the_sender_keeps_the_data(gateway: Gateway, log: TimedLog) -> None:
    assert (await gateway.write(BODY))[0] == 204
    first = len(log.records)
    log.append_time += R + 1
    log.error = LogUnavailable("no disk")
    log.free = 1
    assert (await gateway.write(BODY))[0] == 503
    assert rows(log.records[first:]) == SERIES
    log.error = None
    assert (await gateway.write(BODY))[0] == 204
    assert gateway.count("forebay_gateway_samples_total", type="float") == 2 * SERIES


@pytest.mark.parametrize("stored", [False, True])
async def test_an_append_that_failed_teaches_nothing(gateway: Gateway, log: TimedLog, stored: bool) -> None:  # noqa: FBT001
    log.error = LogUnavailable("no answer")
    log.stores_what_fails = stored
    assert (await gateway.write(BODY))[0] == 503
    log.error = None
    first = len(log.records)
    assert (await gateway.write(BODY))[0] == 204
    assert labelled(log.records[first:]) == SERIES


async def test_a_place_that_is_not_told_teaches_nothing_and_is_relied_on_by_nobody(
    gateway: Gateway, log: TimedLog
) -> None:
    assert (await gateway.write(BODY))[0] == 204
    log.tells = False
    first = len(log.records)
    assert (await gateway.write(BODY))[0] == 204
    assert (rows(log.records[first:]), labelled(log.records[first:])) == (SERIES, SERIES)


async def test_a_topic_made_again_has_its_labels_again(gateway: Gateway, log: TimedLog) -> None:
    for _ in range(3):
        assert (await gateway.write(BODY))[0] == 204
    log.records.clear()
    log.times.clear()
    log.ends.clear()
    for _ in range(2):
        assert (await gateway.write(BODY))[0] == 204
    relying = [number for number in unresolved(log) if decode(bytes(log.records[number].value)).rows]
    assert sum(len(decode(bytes(log.records[number].value)).rows) for number in relying) == SERIES
    assert labelled(log.records) == SERIES  # before the first of the two was answered


async def test_a_clock_that_goes_back_far_has_labels_again(gateway: Gateway, log: TimedLog) -> None:
    assert (await gateway.write(BODY))[0] == 204
    log.append_time -= R // 2
    assert (await gateway.write(BODY))[0] == 204
    assert labelled(log.records) == SERIES
    log.append_time -= R
    for _ in range(2):  # the first partition that shows it has its labels at once
        assert (await gateway.write(BODY))[0] == 204
        assert SERIES < labelled(log.records) <= 2 * SERIES
    assert (await gateway.write(BODY))[0] == 204
    assert labelled(log.records) == 2 * SERIES


async def test_gateways_know_only_what_they_wrote_themselves(
    make_gateway: MakeGateway, log: TimedLog, clock: ManualClock
) -> None:
    gateways = [await make_gateway(labels=LabelTables(clock, memory=1 << 20, window_ms=R)) for _ in range(2)]
    for gateway in (*gateways, *gateways):
        assert (await gateway.write(BODY))[0] == 204
    assert (labelled(log.records), rows(log.records)) == (2 * SERIES, 2 * SERIES)
    assert unresolved(log) == []


async def test_tenants_are_kept_apart(gateway: Gateway, log: TimedLog) -> None:
    for tenant in ("a", "b", "a", "b"):
        assert (await gateway.write(BODY, THANOS_TENANT=tenant))[0] == 204
    assert {record.key for record in log.records} == {b"a", b"b"}
    assert (labelled(log.records), rows(log.records)) == (2 * SERIES, 2 * SERIES)


async def test_a_log_that_grows_begins_anew(gateway: Gateway, log: TimedLog) -> None:
    assert (await gateway.write(BODY))[0] == 204
    log.partitions = 8
    assert (await gateway.write(BODY))[0] == 204
    assert labelled(log.records) == 2 * SERIES
    assert (await gateway.write(BODY))[0] == 204
    assert rows(log.records) == SERIES
    assert unresolved(log) == []


async def test_what_finds_no_memory_keeps_its_labels(
    make_gateway: MakeGateway, log: TimedLog, clock: ManualClock
) -> None:
    tables = LabelTables(clock, memory=64 * 24, window_ms=R)
    gateway = await make_gateway(labels=tables)
    body = snappy.compress(body_of(range(200)))
    for _ in range(2):
        assert (await gateway.write(body))[0] == 204
    assert 0 < rows(log.records) < 64 < labelled(log.records)
    assert tables.memory <= 64 * 24
    assert unresolved(log) == []


async def test_what_is_too_old_to_rely_on_is_forgotten(
    gateway: Gateway, labels: LabelTables, clock: ManualClock
) -> None:
    assert (await gateway.write(BODY))[0] == 204
    clock.advance(R / 1000 - 1)
    labels.sweep()
    assert labels.count() == SERIES
    clock.advance(2)
    labels.sweep()
    assert (labels.count(), labels.memory) == (0, 0)


async def test_what_is_younger_stays_known(
    gateway: Gateway, labels: LabelTables, log: TimedLog, clock: ManualClock
) -> None:
    old, young = (snappy.compress(body_of(range(first, first + 300))) for first in (0, 1000))
    assert (await gateway.write(old))[0] == 204
    clock.advance(R / 2000)
    log.append_time += R // 2
    assert (await gateway.write(young))[0] == 204
    clock.advance(R / 2000 + 1)
    log.append_time += R // 2 + 1000
    labels.sweep()
    assert labels.count() == 300
    log.records.clear()
    log.times.clear()
    assert (await gateway.write(young))[0] == 204
    assert (labelled(log.records), rows(log.records)) == (0, 300)


async def test_replicas_are_named_in_records_of_version_2(
    make_gateway: MakeGateway, labels: LabelTables, log: TimedLog
) -> None:
    ha = HaSettings(tenants="*")
    gateway = await make_gateway(labels=labels, policies=Policies(LimitSettings(), ha, 4))
    pair = {"__name__": "up", ha.cluster_label: "eu", ha.replica_label: "a"}
    body = snappy.compress(message((pair, [(NOW_MS, 1.0)]), ({"__name__": "down"}, [(NOW_MS, 1.0)])))
    assert (await gateway.write(body))[0] == 204
    log.append_time += R + 1
    assert (await gateway.write(body))[0] == 204
    named = [record for record in log.records if len(record.headers) == 3]
    assert [len(decode(bytes(record.value)).rows) for record in named] == [0, 1, 0]
    for record in log.records:
        stored = Record(record.partition, 0, 0, record.key, b"", record.headers)
        assert version_of(stored) == 2
