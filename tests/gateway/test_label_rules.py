"""The rules of docs/decisions/0021-labels-once.md over random weather: kept here, and missed in builds without one."""

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import pytest
import structlog
from prometheus_client import CollectorRegistry

from broker.log import Appended, LogUnavailable, NewRecord
from forebay.clock import ManualClock
from gateway.intake import Intake
from gateway.label_tables import LabelTables, RequestBody
from gateway.limits import LimitSettings
from gateway.metrics import GatewayMetrics
from gateway.policy import Policies, TenantPolicy
from gateway.settings import GatewaySettings, HaSettings
from tests.gateway.requests import NOW_MS, message
from tests.wire.messages import TimeSeries
from tests.wire.record_v2 import decode, taught
from wire.hashing import tenant_seed
from wire.write_request import Routed

R = 60_000
PARTITIONS = 3
TENANT = "team-a"
SEED = tenant_seed(TENANT.encode())


class Stored(NamedTuple):
    append_time: int
    taught: frozenset[bytes]
    """Hashes."""
    labelled: frozenset[int]
    """Timestamps of samples with their labels."""
    rows: dict[bytes, int]
    """Timestamps of the others, by hash."""


class Weather:
    """A log whose appends are late, fail with or without being stored, and whose topic is made again at times."""

    log_id = "log"
    problem = ""

    def __init__(self, chance: random.Random, clock: ManualClock) -> None:
        self.partitions = PARTITIONS
        self.logs: list[list[Stored]] = [[] for _ in range(PARTITIONS)]
        self.ahead = chance.randrange(-R, R)
        self._chance = chance
        self._clock = clock

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        if self._chance.random() < 0.1:  # the broker stands, or its clock jumps
            self._clock.advance(self._chance.uniform(0, 2 * R) / 1000)
        weather = self._chance.random()
        if weather < 0.1:
            raise LogUnavailable("not stored")
        places = [self._store(record) for record in records]
        if weather < 0.2:
            raise LogUnavailable("stored, and not confirmed")
        return [Appended(-1, -1) if self._chance.random() < 0.05 else place for place in places]

    def _store(self, record: NewRecord) -> Appended:
        log, time = self.logs[record.partition], self._clock.now_ms() + self.ahead
        read = decode(bytes(record.value))
        entries = [TimeSeries.FromString(entry) for entry in read.labelled]
        times = frozenset(sample.timestamp for entry in entries for sample in entry.samples)
        rows = {row.hash: row.timestamp for row in read.rows}
        log.append(Stored(time, frozenset(taught(read, SEED)), times, rows))
        return Appended(len(log) - 1, time)

    def backlog_bytes(self) -> int:
        return 0

    async def close(self) -> None:
        pass


def readable(log: Sequence[Stored]) -> set[int]:
    """Timestamps of samples that resolve wherever segments begin: from labels at most R before them."""
    times: set[int] = set()
    newest: dict[bytes, int] = {}
    for record in log:
        newest |= dict.fromkeys(record.taught, record.append_time)
        times |= record.labelled
        if all(record.append_time - newest.get(hashed, -R) <= R for hashed in record.rows):
            times |= set(record.rows.values())
    return times


class Eager(LabelTables):
    """Learns before the log has confirmed anything."""

    def route(self, policy: TenantPolicy, partitions: int, request: RequestBody) -> Routed:
        routed = super().route(policy, partitions, request)
        if routed.labels is not None:
            routed.labels.learn([(0, self.log_now)] * len(routed.records))
        return routed


class Careless(LabelTables):
    """Does not look whether labels are still in reach."""

    def learn(self, routed: Routed, appended: list[Appended]) -> list[int]:
        super().learn(routed, appended)
        return []


class Blind(LabelTables):
    """Does not see that a topic was made again."""

    def learn(self, routed: Routed, appended: list[Appended]) -> list[int]:
        return super().learn(routed, [Appended(self._clock.now_ms(), place.append_time) for place in appended])


def gateway(log: Weather, clock: ManualClock, tables: type[LabelTables]) -> Intake:
    def nothing() -> float:
        return 0

    gauges = ("in_flight_bytes", "in_flight_requests", "backlog_bytes", "partitions")
    return Intake(
        log,
        clock,
        policies=Policies(LimitSettings(), HaSettings(), PARTITIONS),
        settings=GatewaySettings(),
        metrics=GatewayMetrics(CollectorRegistry(), log_id="log", reasons=(), **dict.fromkeys(gauges, nothing)),
        logger=structlog.wrap_logger(structlog.ReturnLogger()),
        labels=tables(clock, memory=1 << 20, window_ms=R),
    )


async def play(seed: int, tables: type[LabelTables] = LabelTables) -> tuple[int, int]:
    """How many acknowledged samples cannot be read, and how many lie in the log without labels."""
    chance, clock = random.Random(seed), ManualClock()
    log = Weather(chance, clock)
    gateways = [gateway(log, clock, tables) for _ in range(2)]
    told: set[int] = set()
    for number in range(300):
        clock.advance(chance.uniform(0, R / 20) / 1000)
        if number == 200:  # the topic is made again, and what was in it is gone
            log.logs = [[] for _ in range(PARTITIONS)]
            told.clear()
        times = [NOW_MS + 10 * number + place for place in range(6)]
        series = chance.sample(range(12), 6)
        body = message(*(({"__name__": "up", "n": str(n)}, [(t, 1.0)]) for n, t in zip(series, times, strict=True)))
        intake = chance.choice(gateways)
        routed = intake.route(TENANT, body)
        with suppress(LogUnavailable):
            await intake.append(TENANT, routed)
            told.update(times)
    stored = [record for partition in log.logs for record in partition]
    return len(told - set().union(*map(readable, log.logs))), sum(len(record.rows) for record in stored)


@pytest.mark.parametrize("seed", range(8))
async def test_whoever_was_told_that_it_is_stored_can_have_it_read(seed: int) -> None:
    lost, rows = await play(seed)
    assert lost == 0
    assert rows > 100


@pytest.mark.parametrize("broken", [Eager, Careless, Blind])
async def test_a_build_without_one_of_the_rules_is_caught(broken: type[LabelTables]) -> None:
    assert sum([(await play(seed, broken))[0] for seed in range(8)]) > 0
