"""The limit of active series, from a tenant's settings to the answer and back to room for new ones."""

import structlog

from forebay.clock import ManualClock
from forebay.units import Duration, Size
from gateway.active_series import ActiveSeries
from gateway.limits import LimitSettings
from gateway.settings import GatewaySettings
from tests.gateway.conftest import MakeGateway
from tests.gateway.requests import NOW_MS, body

WINDOW = 1_200_000


def series(*jobs: str, at: int = NOW_MS) -> bytes:
    return body(*(({"__name__": "up", "job": job}, [(at, 1.0)]) for job in jobs))


def of(clock: ManualClock, memory: int = 1 << 20) -> tuple[ActiveSeries, structlog.testing.CapturingLogger]:
    logger = structlog.testing.CapturingLogger()
    return ActiveSeries(clock, memory=memory, window_ms=WINDOW, logger=logger), logger


async def test_new_series_beyond_the_limit_are_refused_and_active_ones_go_on(
    make_gateway: MakeGateway, clock: ManualClock
) -> None:
    gateway = await make_gateway(limits=LimitSettings(max_active_series=2))
    status, text = await gateway.write(series("a", "b", "c"))
    assert status == 400
    assert "active_series=1" in text
    assert 'active_series series={__name__="up", job="c"}' in text
    assert await gateway.write(series("a", "b")) == (204, "")
    assert (await gateway.write(series("c"), X_Scope_OrgID="other"))[0] == 204
    assert gateway.count("forebay_gateway_active_series") == 3
    assert gateway.count("forebay_gateway_active_series_bytes") > 0
    clock.advance(WINDOW / 1000 * 1.5)
    assert (await gateway.write(series("c", at=clock.now_ms())))[0] == 204


async def test_in_shadow_new_series_are_stored_and_each_sample_counts(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(limits=LimitSettings(max_active_series=2, shadow=("max_active_series",)))
    for _ in range(2):
        assert await gateway.write(series("a", "b", "c")) == (204, "")
    assert gateway.count("forebay_gateway_shadow_rejected_samples_total", reason="active_series") == 2


async def test_without_the_limit_nothing_is_kept(make_gateway: MakeGateway) -> None:
    gateway = await make_gateway(GatewaySettings(active_series_window=Duration(1000), active_series_memory=Size(1)))
    assert await gateway.write(series("a", "b", "c")) == (204, "")
    assert gateway.count("forebay_gateway_active_series_bytes") == 0


def test_a_series_is_active_for_the_window_and_at_most_a_quarter_more(clock: ManualClock) -> None:
    active, _ = of(clock)
    for step in range(40):
        found = active.of(f"at {step}", 10)
        assert found is not None
        found.admit(bytes(range(8)))
        clock.advance(WINDOW / 1000 - 1)
        active.advance()
        assert len(active.get(f"at {step}")) == 1
        clock.advance(WINDOW / 4000 + 1)
        active.advance()
        assert active.items() == []
        clock.advance(17 * step)


def test_a_limit_that_cannot_be_kept_is_told_once(clock: ManualClock) -> None:
    active, logger = of(clock, memory=8)
    found = active.of("a", 1)
    assert found is not None
    assert found.admit(bytes(range(16))) == 2
    active.advance()
    active.advance()
    assert [call.method_name for call in logger.calls] == ["warning"]


def test_a_limit_goes_with_the_settings(clock: ManualClock) -> None:
    active, _ = of(clock)
    for limit in (5, 9):
        found = active.of("a", limit)
        assert found is not None
        assert found.limit == limit
    assert active.of("a", 0) is None
