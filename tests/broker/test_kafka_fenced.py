"""A broker that its controller has fenced answers that there is no broker: clients forget it, and must find it again.

A broker does so while it stops, and when it goes on after a freeze. This one does so all the time: it tells the
controller of itself more rarely than the controller wants to hear of it. Whether a client is lost by that is a race
within librdkafka, so what is to become of one that is lost is tested without it, too.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from broker import kafka_admin, kafka_topic
from broker.kafka_group import KafkaSubscription
from broker.kafka_topic import KafkaTopic
from broker.kafka_writer import KafkaWriter
from broker.log import LogUnavailable, NewRecord
from forebay.units import Duration
from tests.broker.contract import wait_for
from tests.broker.kafka_harness import Bereaved, KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.peer("kafka-4.1")

LOST = "127.0.0.1:1"
"""Where no broker is: a client of it is as one that has forgotten them all."""
FENCED = {"broker.session.timeout.ms": 1000, "broker.heartbeat.interval.ms": 2000}
"""A second out of every two or so."""
EACH = 4
CLIENTS = 16
"""Left to itself, about one in twenty that are told of no broker would never ask again."""


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(peer("kafka-4.1"), tmp_path / "broker") as broker:
        yield broker


def fence(broker: KafkaBroker, properties: dict[str, int]) -> None:
    broker.kill()
    broker.configure(properties)
    broker.start()


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
    fence(broker, FENCED)
    with ThreadPoolExecutor(CLIENTS) as askers:
        list(askers.map(lambda topic: describe(topic, 12), topics))
        fence(broker, {})
        assert all(askers.map(lambda topic: describe(topic, 60, once=True), topics))
    assert threads() - before < 6 * CLIENTS, "clients that were replaced have not ended"


@pytest.mark.slow
async def test_whoever_has_the_log_open_goes_on_after_a_broker_was_fenced(broker: KafkaBroker, topic_name: str) -> None:
    settings = settings_of(broker.bootstrap, broker.create_topic(topic_name, 4), delivery_timeout=Duration.parse("3s"))
    harness = KafkaHarness(settings)
    worked: dict[str, int] = {}
    ended = threading.Event()

    def work(name: str, act: Callable[[], object]) -> None:
        worked[name] = 0
        while not ended.is_set():
            with suppress(LogUnavailable):
                worked[name] += bool(act())
            time.sleep(0.05)

    async def send(name: str, writer: KafkaWriter) -> None:
        worked[name] = 0
        while not ended.is_set():
            with suppress(LogUnavailable):
                await writer.append([NewRecord(partition, b"t", b"x") for partition in range(4)])
                worked[name] += 1
            await asyncio.sleep(0.05)

    opened = [
        (
            await harness.writer(),
            harness.reader(),
            harness.subscription(f"group-{number}", Bereaved(), "static" if number % 2 else ""),
        )
        for number in range(EACH)
    ]
    tasks: list[asyncio.Future[None]] = []
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(3 * EACH) as pool:
        for number, (writer, reader, member) in enumerate(opened):
            tasks += [
                asyncio.create_task(send(f"writer {number}", writer)),
                loop.run_in_executor(pool, work, f"reader {number}", partial(reader.read, number, 0, 1000)),
                loop.run_in_executor(pool, work, f"member {number}", partial(member.poll, 0.2, 1 << 20)),
                loop.run_in_executor(pool, work, f"offset {number}", partial(committed, member)),
            ]
        try:
            await wait_for(lambda: all(worked.values()), 30)
            await asyncio.to_thread(fence, broker, FENCED)
            await asyncio.sleep(10)
            await asyncio.to_thread(fence, broker, {})
            before = dict(worked)
            await wait_for(lambda: all(worked[name] > before[name] for name in before), 90)
        finally:
            ended.set()
            await asyncio.gather(*tasks)
    await harness.close()


def committed(member: KafkaSubscription) -> bool:
    """Whether the question was answered."""
    member.committed(0)
    return True
