"""Turns: how many at once, whose, how long one waits for them, and who need not try."""

import asyncio
import itertools
from collections import Counter

import pytest

from gateway.admission import Admission, Overloaded
from gateway.places import Places

LONG = 60.0


def admission(places: int = 100, burst: float = LONG, standing: float = LONG) -> Admission:
    return Admission(places, burst_wait=burst, standing_wait=standing)


class Tenants:
    """Requests that begin to wait in the order they are made; each works until it is told to end."""

    def __init__(self, turns: Admission) -> None:
        self.turns = turns
        self.begun: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.end = asyncio.Event()

    def ask(self, tenant: str, size: int = 1) -> asyncio.Task[None]:
        async def request() -> None:
            async with self.turns.turn(tenant, size):
                self.begun.append(tenant)
                await self.end.wait()

        task = asyncio.create_task(request())
        self.tasks.append(task)
        return task

    async def all(self) -> list[BaseException | None]:
        self.end.set()
        return await asyncio.gather(*self.tasks, return_exceptions=True)


async def passes(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_request_alone_does_not_wait() -> None:
    turns = admission()
    async with turns.turn("a", 1) as turn:
        assert (turn.waited, turns.working, turns.waiting) == (0, 1, 0)
    assert turns.working == 0


async def test_one_request_begins_in_each_pass_of_the_loop() -> None:
    requests = Tenants(admission())
    for _ in range(10):
        requests.ask("a")
    seen = []
    while len(requests.begun) < 10:
        await asyncio.sleep(0)
        seen.append(len(requests.begun))
    assert {later - earlier for earlier, later in itertools.pairwise(seen)} <= {0, 1}
    await requests.all()


async def test_no_more_than_there_are_places_work_at_once() -> None:
    turns = admission(places=5)
    requests = Tenants(turns)
    for number in range(8):
        requests.ask(f"tenant-{number}")
    await passes(50)
    assert (turns.working, turns.waiting) == (5, 3)
    assert await requests.all() == [None] * 8
    assert (turns.working, turns.waiting) == (0, 0)


async def test_one_tenant_leaves_places_for_others() -> None:
    turns = admission(places=10)
    requests = Tenants(turns)
    for _ in range(20):
        requests.ask("greedy")
    await passes(100)
    assert (turns.working, turns.waiting) == (8, 12)
    requests.ask("other")
    await passes(5)
    assert requests.begun[-1] == "other"
    assert turns.working == 9
    assert await requests.all() == [None] * 21


async def test_a_tenant_with_nothing_at_work_gets_a_place_when_places_have_become_fewer() -> None:
    places = Places(100, 0.05)
    turns = Admission(places, burst_wait=LONG, standing_wait=LONG)
    requests = Tenants(turns)
    for _ in range(40):
        requests.ask("greedy")
    await passes(100)
    assert turns.working == 26  # of 32
    places.count = 26
    requests.ask("other")
    requests.ask("other")
    requests.ask("third")
    await passes(10)
    assert requests.begun[26:] == ["other", "third"]
    assert await requests.all() == [None] * 43


async def test_places_that_one_tenant_alone_needs_become_more() -> None:
    turns = Admission(Places(100, 0.05), burst_wait=LONG, standing_wait=LONG)

    async def connection() -> None:
        for _ in range(40):
            async with turns.turn("only", 1):
                await asyncio.sleep(0.01)

    await asyncio.gather(*(connection() for _ in range(100)))
    assert turns.places.count > 60


async def test_tenants_take_turns_however_many_requests_one_of_them_has() -> None:
    requests = Tenants(admission())
    for _ in range(50):
        requests.ask("greedy")
    await passes(4)
    before = len(requests.begun)
    for _ in range(5):
        requests.ask("other")
    await passes(40)
    assert before < 5
    assert Counter(requests.begun[before + 1 : before + 11])["other"] >= 4
    await requests.all()


async def test_turns_go_by_bytes() -> None:
    requests = Tenants(admission(places=1000))
    for _ in range(100):
        requests.ask("small", 10)
    for _ in range(100):
        requests.ask("large", 100)
    await passes(100)
    begun = Counter(requests.begun)
    assert 5 <= begun["small"] / begun["large"] <= 10
    await requests.all()


async def test_a_tenant_that_had_many_turns_while_nobody_waited_owes_nothing() -> None:
    turns = admission(places=1)
    for _ in range(100):
        async with turns.turn("busy", 1000):
            pass
        await passes(1)
    requests = Tenants(turns)
    for tenant in ("holder", "other", "busy", "other", "other"):
        requests.ask(tenant, 1000)
    await requests.all()
    assert requests.begun.index("busy") <= 3


async def test_who_waits_too_long_is_refused() -> None:
    turns = admission(places=1, burst=0.02, standing=0.01)
    requests = Tenants(turns)
    requests.ask("a")
    refused = requests.ask("a")
    with pytest.raises(Overloaded, match=r"waiting=0 at_work=1 .* allowed=0.02s"):
        await refused
    assert turns.waiting == 0
    await requests.all()


class Time:
    """The loop's clock, which can be set on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        real, self._ahead = loop.time, 0.0
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


async def test_a_queue_that_stands_is_cut_short_until_it_is_calm_again(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    turns = admission(places=1, burst=10, standing=2)
    requests = Tenants(turns)
    requests.ask("a")
    first = requests.ask("a")
    await passes(5)
    turns.check("a")  # not known to take long yet, and a burst is waited for
    time.advance(9)
    turns.check("a")
    time.advance(1.5)
    with pytest.raises(Overloaded, match="allowed=2s"):
        turns.check("a")
    with pytest.raises(Overloaded):
        await first
    requests.end.set()
    await passes(5)
    turns.check("a")  # nobody waits: there is nothing to refuse for
    async with turns.turn("a", 1):
        time.advance(2.1)
        waiting = requests.ask("a")
        await passes(3)
        time.advance(2.1)
        turns.check("a")  # there was more than enough time in which nobody waited: it is calm
        turns._pressure.press(asyncio.get_running_loop().time())
        with pytest.raises(Overloaded, match="allowed=2s"):
            turns.check("a")
        with pytest.raises(Overloaded, match="allowed=2s"):
            async with turns.turn("a", 1):
                pass
        await passes(3)
        assert not waiting.done()  # who is in stays in
    await requests.all()


async def test_the_queue_is_cut_short_for_those_who_fill_it(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    turns = admission(places=1, burst=10, standing=2)
    requests = Tenants(turns)
    for _ in range(5):
        requests.ask("a")
    await passes(10)
    time.advance(10.5)
    with pytest.raises(Overloaded, match="allowed=2s"):
        turns.check("a")
    with pytest.raises(Overloaded, match="allowed=10s"):
        turns.check("b")
    await requests.all()


async def test_who_would_wait_too_long_is_refused_on_headers_and_others_are_not() -> None:
    turns = admission(burst=0.2, standing=0.05)
    requests = Tenants(turns)
    refused = Counter[str]()

    async def work(tenant: str) -> None:
        try:
            turns.check(tenant)
            async with turns.turn(tenant, 1):
                end = asyncio.get_running_loop().time() + 0.01
                while asyncio.get_running_loop().time() < end:
                    pass
        except Overloaded:
            refused[tenant] += 1

    async def send(tenant: str, connections: int) -> None:
        async def connection() -> None:
            for _ in range(20):
                await work(tenant)
                await asyncio.sleep(0.002)

        await asyncio.gather(*(connection() for _ in range(connections)))

    await asyncio.gather(send("greedy", 60), send("steady", 1))
    assert refused["greedy"] > 600
    assert refused["steady"] == 0
    await requests.all()


async def test_time_in_which_nobody_waited_is_not_time_between_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time(monkeypatch)
    turns = admission(burst=60, standing=0.01)
    for _ in range(20):
        requests = Tenants(turns)
        requests.ask("a")
        requests.ask("a")
        await requests.all()
        time.advance(100)
    assert turns._mean_interval < 0.01


async def test_a_request_that_is_cancelled_gives_back_what_it_has() -> None:
    turns = admission(places=1)
    requests = Tenants(turns)
    requests.ask("a")
    waiting = requests.ask("a")
    await passes(3)
    waiting.cancel()
    await passes(3)
    assert turns.waiting == 0
    requests.end.set()
    begun = requests.ask("b")
    await passes(1)
    begun.cancel()
    await requests.all()
    assert (turns.working, turns.waiting) == (0, 0)


async def test_who_had_turns_is_not_remembered_for_ever() -> None:
    turns = admission()
    for number in range(5000):
        async with turns.turn(f"tenant-{number}", 1):
            pass
        await asyncio.sleep(0)
    assert len(turns._served) <= 1024
