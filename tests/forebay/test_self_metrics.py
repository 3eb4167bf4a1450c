"""Own metrics go through the real gateway path, and end with stale markers."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry, Gauge
from structlog.testing import CapturingLogger

from broker.log import LogFull
from forebay.clock import ManualClock
from forebay.own_request import STALE
from forebay.self_metrics import SelfMetrics
from forebay.settings import SelfMetricsSettings
from forebay.units import Duration
from gateway.intake import Intake
from gateway.limits import LimitSettings
from gateway.metrics import GatewayMetrics
from gateway.policy import Policies
from gateway.reasons import GATEWAY_REASONS
from gateway.settings import GatewaySettings, HaSettings
from tests.gateway.fake_log import FakeLog
from tests.wire.messages import WriteRequest


class Own:
    def __init__(self, clock: ManualClock) -> None:
        self.log = FakeLog()
        self.registry = CollectorRegistry()
        self.gauge = Gauge("depth", "Depth.", ["pool"], registry=self.registry)
        self.logger = CapturingLogger()
        metrics = GatewayMetrics(
            CollectorRegistry(),
            log_id="log",
            reasons=GATEWAY_REASONS,
            in_flight_bytes=lambda: 0,
            in_flight_requests=lambda: 0,
            backlog_bytes=lambda: 0,
            partitions=lambda: 4,
        )
        self.metrics = SelfMetrics(
            self.registry,
            Intake(
                self.log,
                clock,
                policies=Policies(LimitSettings(), HaSettings(), self.log.partitions),
                settings=GatewaySettings(),
                metrics=metrics,
                logger=self.logger,
            ),
            "default-tenant",
            settings=SelfMetricsSettings(interval=Duration(20), instance="here:1"),
            address=":9201",
            clock=clock,
            logger=self.logger,
        )

    def values(self) -> list[float]:
        """Of the gauge, in the order they were written."""
        found = []
        for record in self.log.records:
            request = WriteRequest()
            request.ParseFromString(record.value)
            for entry in request.timeseries:
                labels = {label.name: label.value for label in entry.labels}
                assert labels[b"job"] == b"forebay"
                assert labels[b"instance"] == b"here:1"
                found += [sample.value for sample in entry.samples]
        return found

    def stale(self) -> int:
        return sum(record.value.count(STALE) for record in self.log.records)


@pytest.fixture
async def own(clock: ManualClock) -> AsyncIterator[Own]:
    own = Own(clock)
    own.gauge.labels("a").set(1)
    yield own
    await own.metrics.stop()


def unexpected(error: BaseException) -> None:
    raise AssertionError from error


async def test_written_at_once_and_then_at_every_interval(own: Own) -> None:
    own.metrics.start(unexpected)
    await asyncio.sleep(0.005)
    own.gauge.labels("a").set(2)
    await asyncio.sleep(0.1)
    assert own.values()[:2] == [1.0, 2.0]


async def test_series_end_with_a_stale_marker_when_they_go_and_at_the_end(own: Own) -> None:
    own.gauge.labels("b").set(1)
    own.metrics.start(unexpected)
    await asyncio.sleep(0.005)
    own.gauge.remove("a")
    await asyncio.sleep(0.05)
    assert own.stale() == 1
    await own.metrics.stop()
    assert own.stale() == 2


async def test_a_log_that_is_full_is_not_the_end(own: Own) -> None:
    own.log.error = LogFull("full")
    own.metrics.start(unexpected)
    await asyncio.sleep(0.03)
    assert own.logger.calls[0].args == ("own metrics were not written",)
    own.log.error = None
    await asyncio.sleep(0.05)
    assert own.values()


async def test_a_mistake_is_told(own: Own) -> None:
    error = own.log.error = ZeroDivisionError()
    told: list[BaseException] = []
    own.metrics.start(told.append)
    await asyncio.sleep(0.03)
    assert told == [error]
    own.log.error = None
