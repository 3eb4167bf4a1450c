"""Gateways that tell each other of their tenants' active series and samples, over a log that is a list."""

from collections.abc import Callable, Sequence

import pytest
import structlog

from broker.log import LogUnavailable
from forebay.clock import ManualClock
from gateway.active_series import ActiveSeries
from gateway.usage import ROUND_SECONDS, SILENT_MS, Usage
from tests.wire.test_series_set import packed, spread
from wire.series_set import SeriesSet

LIMIT = 1000
SERIES = spread(3000)


class Bus:
    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.broken = False

    def log(self) -> "BusLog":
        return BusLog(self)


class BusLog:
    """A UsageLog."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._next = 0

    def publish(self, messages: Sequence[bytes]) -> None:
        self._check()
        self._bus.messages += messages

    def read(self, timeout: float) -> list[bytes]:
        del timeout
        self._check()
        found = self._bus.messages[self._next :]
        self._next += len(found)
        return found

    def catch_up(self, timeout: float) -> list[bytes]:
        return self.read(timeout)

    def close(self) -> None:
        pass

    def _check(self) -> None:
        if self._bus.broken:
            raise LogUnavailable("the bus is broken")


class Gateway:
    def __init__(self, bus: Bus, clock: ManualClock) -> None:
        self.logger = structlog.testing.CapturingLogger()
        self.active = ActiveSeries(clock, memory=1 << 20, window_ms=1_200_000, logger=self.logger, shared=True)
        self.charged: list[dict[str, int]] = []
        self.usage = Usage(bus.log, self.active, clock, charge=self.charged.append, logger=self.logger, always=True)
        self.usage.catch_up()

    def admit(self, hashes: Sequence[int], limit: int = LIMIT) -> int:
        return self.set(limit).admit(packed(*hashes))

    def set(self, limit: int = LIMIT) -> SeriesSet:
        found = self.active.of("a", limit)
        assert found is not None
        return found


Make = Callable[[int], list[Gateway]]


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def make(bus: Bus, clock: ManualClock) -> Make:
    """So many gateways that know of each other."""

    def gateways(count: int) -> list[Gateway]:
        made = [Gateway(bus, clock) for _ in range(count)]
        rounds(made, clock, 2)
        assert [each.usage.gateways for each in made] == [count] * count
        return made

    return gateways


def rounds(gateways: Sequence[Gateway], clock: ManualClock, count: int = 1) -> None:
    for _ in range(count):
        for _ in range(3):
            for each in gateways:
                each.usage.step(0)
        clock.advance(ROUND_SECONDS)


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("batch", [1, 10, 500])
def test_together_they_admit_hardly_more_than_the_limit(make: Make, clock: ManualClock, count: int, batch: int) -> None:
    gateways = make(count)
    admitted = 0
    for turn, at in enumerate(range(0, len(SERIES), batch)):
        admitted += gateways[turn % count].admit(SERIES[at : at + batch])
        if turn % 11 == 0:
            gateways[turn // 11 % count].usage.step(0)
            clock.advance(ROUND_SECONDS / 5)
    rounds(gateways, clock, 3)
    assert admitted <= LIMIT * 1.1
    for _ in range(40):
        for each in gateways:
            each.admit(SERIES)
        rounds(gateways, clock)
    known = {len(each.set()) for each in gateways}
    assert len(known) == 1
    assert LIMIT <= known.pop() <= LIMIT * 1.1


def test_what_one_has_seen_is_active_at_the_others(make: Make, clock: ManualClock) -> None:
    one, two = make(2)
    assert one.admit(SERIES[:400]) == 400
    rounds([one, two], clock, 2)
    assert len(two.set()) == 400
    two.set().allowance = 0
    assert two.admit(SERIES[:500]) == 400


def test_a_series_is_told_by_one_of_them_in_each_generation(make: Make, clock: ManualClock, bus: Bus) -> None:
    one, two = make(2)
    one.admit(SERIES[:400])
    rounds([one, two], clock, 2)
    before = sum(map(len, bus.messages))
    two.admit(SERIES[:400])
    rounds([one, two], clock)
    assert sum(map(len, bus.messages)) - before < 400
    clock.advance(400)
    two.admit(SERIES[:400])
    rounds([one, two], clock)
    assert sum(map(len, bus.messages)) - before > 3200


def test_who_starts_learns_what_is_active(make: Make, clock: ManualClock, bus: Bus) -> None:
    one, two = make(2)
    one.admit(SERIES[:400])
    rounds([one, two], clock)
    late = Gateway(bus, clock)
    assert len(late.set()) == 400
    assert late.usage.gateways == 3


def test_who_is_silent_or_leaves_has_no_part_any_more(make: Make, clock: ManualClock) -> None:
    one, two, three = make(3)
    three.usage.stop()
    three.usage.run()
    rounds([one, two], clock, 2)
    assert (one.usage.gateways, two.usage.gateways) == (2, 2)
    clock.advance(SILENT_MS / 1000 + 1)
    one.usage.step(0)
    one.usage.step(0)
    assert one.usage.gateways == 1
    assert one.admit(SERIES) == LIMIT


def test_samples_are_charged_once_everywhere_else(make: Make, clock: ManualClock, bus: Bus) -> None:
    one, two, three = make(3)
    one.usage.note("a", 5)
    one.usage.note("a", 2)
    one.usage.note("b", 1)
    rounds([one, two, three], clock, 3)
    assert (one.charged, two.charged, three.charged) == ([], [{"a": 7, "b": 1}], [{"a": 7, "b": 1}])
    assert Gateway(bus, clock).charged == []


def test_without_the_log_each_goes_by_its_own_view_and_says_so(make: Make, clock: ManualClock, bus: Bus) -> None:
    one, two = make(2)
    for each in (one, two):
        each.set()
    bus.broken = True
    with pytest.raises(LogUnavailable) as failure:
        one.usage.step(0)
    one.usage._fail(failure.value)
    assert one.usage.problem == "the bus is broken"
    assert one.admit(SERIES) == LIMIT
    one.usage._fail(failure.value)
    assert [call.method_name for call in one.logger.calls] == ["warning"]
    bus.broken = False
    rounds([one, two], clock, 3)
    assert len(two.set()) == LIMIT


def test_messages_of_another_version_are_skipped(make: Make, clock: ManualClock, bus: Bus) -> None:
    gateways = make(2)
    bus.messages += [b"", b"\xc1", b"\x92\xa4seen\x01", b"x" * 100]
    rounds(gateways, clock)
    assert gateways[0].usage.gateways == 2
