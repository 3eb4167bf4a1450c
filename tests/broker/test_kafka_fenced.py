"""A broker that its controller has fenced answers that there is no broker: clients forget it, and must find it again.

A broker does so while it stops, and when it goes on after a freeze. This one does so all the time: it tells the
controller of itself more rarely than the controller wants to hear of it. Whether a client is lost by that is a race
within librdkafka, so what is to become of one that is lost is tested without it, too.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from broker import kafka_admin, kafka_topic
from broker.kafka_topic import KafkaTopic
from broker.log import LogUnavailable
from tests.broker.kafka_harness import settings_of
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.peer("kafka-4.1")

LOST = "127.0.0.1:1"
"""Where no broker is: a client of it is as one that has forgotten them all."""
FENCED = {"broker.session.timeout.ms": 1000, "broker.heartbeat.interval.ms": 2000}
"""A second out of every two or so."""
CLIENTS = 16
"""Left to itself, about one in twenty that are told of no broker would never ask again."""


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    broker = KafkaBroker(peer("kafka-4.1"), tmp_path / "broker")
    broker.configure(FENCED)
    with broker:
        yield broker


def threads() -> int:
    """Of the process, those of librdkafka among them."""
    return len(list(Path("/proc/self/task").iterdir()))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_topic, "REQUEST_SECONDS", 2.0)
    monkeypatch.setattr(kafka_admin, "REQUEST_SECONDS", 2.0)


def describe(topic: KafkaTopic, seconds: float, *, once: bool = False) -> int:
    """How often it was answered until then, or at most `once`."""
    answered = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and not (once and answered):
        with suppress(LogUnavailable):
            topic.describe()
            answered += 1
        time.sleep(0.02)
    return answered


@pytest.mark.slow
def test_questions_are_answered_after_a_broker_was_fenced(broker: KafkaBroker, topic_name: str) -> None:
    settings = settings_of(broker.bootstrap, broker.create_topic(topic_name))
    before = threads()
    topics = [KafkaTopic(settings) for _ in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as askers:
        assert all(askers.map(lambda topic: describe(topic, 12), topics))
        broker.kill()
        broker.configure({})
        broker.start()
        assert all(askers.map(lambda topic: describe(topic, 60, once=True), topics))
    assert threads() - before < 6 * CLIENTS, "clients that were replaced have not ended"
