"""Two gateways with threads of their own, over a topic on a real Kafka."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
import structlog

from broker.kafka_usage import KafkaUsage
from broker.settings import CreateTopic, KafkaSettings
from forebay.clock import SystemClock
from gateway.active_series import ActiveSeries
from gateway.usage import Usage
from tests.gateway.test_usage import LIMIT, SERIES
from tests.peers.kafka import KafkaBroker
from tests.wire.test_series_set import packed

WINDOW = 1_200_000
pytestmark = pytest.mark.peer


@pytest.fixture
def settings(kafka: KafkaBroker, topic_name: str) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=CreateTopic(4, 1))


@contextmanager
def gateway(settings: KafkaSettings) -> Iterator[tuple[Usage, ActiveSeries]]:
    clock, logger = SystemClock(), structlog.wrap_logger(structlog.ReturnLogger())
    active = ActiveSeries(clock, memory=1 << 20, window_ms=WINDOW, logger=logger, shared=True)
    usage = Usage(
        lambda: KafkaUsage(settings, WINDOW), active, clock, charge=lambda _spent: None, logger=logger, always=True
    )
    usage.catch_up()
    thread = threading.Thread(target=usage.run)
    thread.start()
    try:
        yield usage, active
    finally:
        usage.stop()
        thread.join()


def count(active: ActiveSeries) -> int:
    found = active.of("a", LIMIT)
    assert found is not None
    return len(found)


def wait_until(seconds: float, *conditions: object) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if all(condition() for condition in conditions if callable(condition)):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("pause", [0.0, 0.01])
def test_series_sent_through_both_in_turn_stay_within_the_limit(settings: KafkaSettings, pause: float) -> None:
    with gateway(settings) as (one, first), gateway(settings) as (two, second):
        assert wait_until(20, lambda: one.gateways == two.gateways == 2)
        time.sleep(2.5)  # a round in which both know it
        admitted = 0
        for turn, at in enumerate(range(0, len(SERIES), 10)):
            found = (first, second)[turn % 2].of("a", LIMIT)
            assert found is not None
            admitted += found.admit(packed(*SERIES[at : at + 10]))
            time.sleep(pause)
        assert admitted <= LIMIT * 1.1
        assert wait_until(20, lambda: count(first) == count(second) == admitted)
        with gateway(settings) as (_, third):
            assert count(third) == admitted


def test_without_a_topic_a_gateway_goes_on_alone_and_says_how_to_make_one(settings: KafkaSettings) -> None:
    lone = msgspec.structs.replace(settings, create_topic=None)
    with gateway(lone) as (usage, active):
        assert "there is no such topic" in usage.problem
        assert "create it" in usage.problem
        assert usage.sharing == 0
        found = active.of("a", LIMIT)
        assert found is not None
        assert found.admit(packed(*SERIES)) == LIMIT
