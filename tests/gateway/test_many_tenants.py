"""Ten thousand tenants: each costs little memory, metrics do not grow with them, made-up names are forgotten."""

import gc
import tracemalloc
from collections.abc import Sequence

from broker.log import Appended, NewRecord
from gateway.app import INTAKE
from gateway.intake import Intake
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.tenant_state import MAX_TENANTS
from tests.gateway.conftest import Gateway, MakeGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.requests import NOW_MS, message

BODY = message(({"__name__": "up", "instance": "host"}, [(NOW_MS, 1.0), (NOW_MS - 1_000_000_000, 1.0)]))
"""One sample to store, and one that is too old."""


class Forgetful(FakeLog):
    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        return [Appended(-1, -1) for _ in records]


def intake_of(gateway: Gateway) -> Intake:
    app = gateway.client.app
    assert app is not None
    return app[INTAKE]


async def write(intake: Intake, first: int, last: int) -> None:
    for number in range(first, last):
        tenant = f"tenant-{number}"
        await intake.append(tenant, intake.route(tenant, BODY))


def lines(gateway: Gateway) -> int:
    return sum(len(family.samples) for family in gateway.registry.collect())


async def test_each_tenant_costs_little_and_metrics_stay_as_they_are(make_gateway: MakeGateway) -> None:
    log = Forgetful(64)
    limits = LimitSettings(samples_per_second=1000, shard_size=4)
    overrides = {f"tenant-{n}": LimitSettings(samples_per_second=1000 + n, shard_size=4) for n in range(3000)}
    gateway = await make_gateway(writer=log, policies=Policies(limits, HaSettings(), 64, overrides))
    intake = intake_of(gateway)
    await write(intake, 0, 500)
    before, counted = lines(gateway), 2500
    gc.collect()
    tracemalloc.start()
    try:
        await write(intake, 500, 500 + counted)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown / counted < 6000  # a state, a bucket, a policy, a router of its own, and what is noted of refusals
    assert lines(gateway) == before


async def test_names_that_are_made_up_are_forgotten(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(writer=Forgetful(4))
    intake = intake_of(gateway)
    await write(intake, 0, MAX_TENANTS + 500)
    assert len(intake.tenants) == MAX_TENANTS
    assert lines(gateway) < 1000
