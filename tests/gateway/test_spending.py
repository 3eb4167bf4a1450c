"""Processes of one gateway hold a tenant to one rate together."""

from forebay.clock import ManualClock
from gateway.app import INTAKE
from gateway.limits import LimitSettings
from gateway.siblings import Provider, Reply
from gateway.spending import TOPIC, Spending
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.requests import good


class Port:
    """Processes behind one port, in one process."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.providers: list[dict[str, Provider]] = [{} for _ in range(processes)]

    def of(self, number: int) -> "Sibling":
        return Sibling(self, number)


class Sibling:
    def __init__(self, port: Port, number: int) -> None:
        self._port, self._number = port, number
        self.processes = port.processes

    def provide(self, topic: str, provider: Provider) -> None:
        self._port.providers[self._number][topic] = provider

    async def gather(self, topic: str, argument: str = "") -> list[Reply]:
        return [
            Reply(number, await providers[topic](argument)) if topic in providers else Reply(number, problem="gone")
            for number, providers in enumerate(self._port.providers)
        ]


def spending(port: Port, number: int) -> tuple[Spending, list[tuple[str, int]]]:
    charged: list[tuple[str, int]] = []
    return Spending(port.of(number), lambda tenant, samples: charged.append((tenant, samples))), charged


async def test_each_process_is_charged_once_for_what_the_others_stored() -> None:
    port = Port(3)
    (one, by_one), (two, by_two), (_three, _) = (spending(port, number) for number in range(3))
    for each in (one, two):
        await each.exchange()  # who has asked is told from then on
    one.note("a", 5)
    one.note("a", 2)
    two.note("b", 1)
    for _ in range(2):
        await one.exchange()
        await two.exchange()
    assert by_one == [("b", 1)]
    assert by_two == [("a", 7)]


async def test_what_nobody_asks_for_is_not_kept() -> None:
    port = Port(2)
    one, _ = spending(port, 0)
    for number in range(50):
        await port.providers[0][TOPIC](f"replaced-{number}")
    one.note("a", 1)
    assert len(one._unheard) == 1


async def test_a_process_that_is_gone_is_passed_over() -> None:
    port = Port(2)
    one, charged = spending(port, 0)
    await one.exchange()
    assert charged == []


async def exchange(gateway: Gateway) -> None:
    app = gateway.client.app
    assert app is not None
    await app[INTAKE].spending.exchange()


async def test_over_time_two_processes_store_what_one_might(make_gateway: MakeGateway, clock: ManualClock) -> None:
    port, limits = Port(2), LimitSettings(samples_per_second=10, samples_burst=100)
    gateways = [await make_gateway(limits=limits, siblings=port.of(number)) for number in range(2)]
    stored = 0
    for _ in range(200):
        for gateway in gateways:
            await exchange(gateway)
        for gateway in gateways:
            status, _ = await gateway.write(good(20), X_Scope_OrgID="a")
            stored += 20 * (status == 204)
        clock.advance(1)
    assert 2000 <= stored <= 2000 + 2 * (100 + 20)


async def test_a_tenant_at_one_process_has_its_whole_rate(make_gateway: MakeGateway, clock: ManualClock) -> None:
    port, limits = Port(2), LimitSettings(samples_per_second=10, samples_burst=100)
    first, second = [await make_gateway(limits=limits, siblings=port.of(number)) for number in range(2)]
    for _ in range(100):
        assert (await first.write(good(10), X_Scope_OrgID="a"))[0] == 204
        await exchange(first)
        await exchange(second)
        clock.advance(1)
