"""Members of a group on a real Kafka that come, go, freeze and return: no record twice, none left out."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker.log import LogWriter, NewRecord
from tests.broker.contract import MANY, Recorder, wait_for
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.broker.kafka_members import Ledger, Member
from tests.broker.test_kafka_contract import GROUPS
from tests.peers.kafka import KafkaBroker
from tests.peers.process import Process

pytestmark = pytest.mark.peer("kafka-4.1")

PARTITIONS = 6


@pytest.fixture(params=GROUPS)
async def harness(kafka: KafkaBroker, topic_name: str, request: pytest.FixtureRequest) -> AsyncIterator[KafkaHarness]:
    kafka.create_topic(topic_name, PARTITIONS)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name, **GROUPS[request.param]))
    yield harness
    await harness.close()


class Load:
    """One record per partition, again and again."""

    def __init__(self, writer: LogWriter) -> None:
        self.rounds = 0
        self._writer = writer

    async def run(self) -> None:
        while True:
            value = f"{self.rounds}".encode()
            await self._writer.append([NewRecord(partition, b"t", value) for partition in range(PARTITIONS)])
            self.rounds += 1
            await asyncio.sleep(0.01)


@asynccontextmanager
async def load_on(harness: KafkaHarness) -> AsyncIterator[Load]:
    writer = await harness.writer()
    load = Load(writer)
    task = asyncio.create_task(load.run())
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait([task])
        await wait_for(lambda: not writer.backlog_bytes(), 30)  # what it was cancelled in is in the log, too


async def test_members_come_and_go_under_load(harness: KafkaHarness) -> None:
    ledger = Ledger()
    async with load_on(harness):
        members = [Member(harness, ledger, "a").start()]
        await wait_for(lambda: ledger.shares() == [6], 30)
        members += [Member(harness, ledger, name).start() for name in ("b", "c")]
        await wait_for(lambda: ledger.shares() == [2, 2, 2], 30)
        await asyncio.to_thread(members[0].stop)
        await wait_for(lambda: ledger.shares() == [3, 3], 30)
        before = ledger.taken()
        await wait_for(lambda: ledger.taken() > before + 100, 30)
        await asyncio.to_thread(members[2].stop)
        await wait_for(lambda: ledger.shares() == [6], 30)
    reader = harness.reader()
    ends = {partition: reader.end_offset(partition) for partition in range(PARTITIONS)}
    await wait_for(lambda: ledger.taken() == sum(ends.values()), 30)
    await asyncio.to_thread(members[1].stop)
    assert ledger.wrong == []
    for partition, end in ends.items():
        assert ledger.values[partition] == [f"{number}".encode() for number in range(end)]
    assert all(member.held == set() for member in members)
    assert not any(what == "lost" for member in members for what, _ in member.told)


async def test_a_pause_ends_with_its_assignment(harness: KafkaHarness) -> None:
    writer = await harness.writer()
    stays, comes = Recorder(), Recorder()
    first = harness.subscription("group", stays)

    def held(listener: Recorder) -> int:
        given = sum(len(partitions) for partitions in listener.assignments)
        return given - sum(len(partitions) for partitions in listener.revocations)

    await wait_for(lambda: first.poll(0.05, MANY) == [] and held(stays) == PARTITIONS, 30)
    for partition in range(PARTITIONS):
        first.pause(partition)
    second = harness.subscription("group", comes)
    await wait_for(lambda: first.poll(0.05, MANY) + second.poll(0.05, MANY) == [] and held(comes) == 3, 30)
    before = len(stays.assignments)
    second.close()
    await wait_for(lambda: first.poll(0.05, MANY) == [] and held(stays) == PARTITIONS, 30)
    back = {partition for partitions in stays.assignments[before:] for partition in partitions}
    await writer.append([NewRecord(partition, b"t", b"x") for partition in range(PARTITIONS)])
    came: set[int] = set()

    def all_came() -> bool:
        came.update(record.partition for record in first.poll(0.05, MANY))
        return came >= back

    await wait_for(all_came, 30)
    assert len(back) >= 3


async def test_a_static_member_returns_to_its_partitions(harness: KafkaHarness) -> None:
    ledger = Ledger()
    async with load_on(harness):
        stays, returns = (Member(harness, ledger, name, static=True).start() for name in ("stays", "returns"))
        await wait_for(lambda: ledger.shares() == [3, 3], 30)
        had, told = returns.held, list(stays.told)
        await asyncio.to_thread(returns.stop)
        again = Member(harness, ledger, "returns", static=True).start()
        await wait_for(lambda: ledger.shares() == [3, 3], 30)
        before = ledger.taken()
        await wait_for(lambda: ledger.taken() > before + 100, 30)
        assert again.held == had
        assert stays.told == told
        # Of one that does not return, the partitions pass on once its session is over.
        await asyncio.to_thread(again.stop)
        await wait_for(lambda: ledger.shares() == [6], 30)
    await asyncio.to_thread(stays.stop)
    assert ledger.wrong == []


# Not of the newer protocol: there its client takes no interval below 45 s, the default of a time-out it does not use.
@pytest.mark.parametrize("harness", ["cooperative", "eager"], indirect=True)
async def test_a_member_that_does_not_poll_loses_its_partitions(
    kafka: KafkaBroker, topic_name: str, harness: KafkaHarness
) -> None:
    impatient = {"max.poll.interval.ms": 3000, "session.timeout.ms": 3000}
    group: dict[str, object] = {"group_protocol": harness.settings.group_protocol}
    group["assignment_strategy"] = harness.settings.assignment_strategy
    other = KafkaHarness(settings_of(kafka.bootstrap, topic_name, librdkafka=impatient, **group))
    ledger = Ledger()
    async with load_on(harness):
        sleeper, heir = Member(other, ledger, "sleeper").start(), Member(harness, ledger, "heir").start()
        await wait_for(lambda: ledger.shares() == [3, 3], 30)
        had = sleeper.held
        sleeper.idle.set()
        ledger.released("sleeper", sorted(had))  # as the group sees it, before it hears of it
        await wait_for(lambda: ledger.shares() == [6], 30)
        sleeper.idle.clear()
        await wait_for(lambda: ("lost", tuple(sorted(had))) in sleeper.told, 30)
        await wait_for(lambda: ledger.shares() == [3, 3], 30)
        await asyncio.to_thread(sleeper.stop)
        await asyncio.to_thread(heir.stop)
    await other.close()
    # What it had fetched before is handed out until it hears: a zombie's work, which the manifests make harmless.
    assert [wrong for wrong in ledger.wrong if not wrong.startswith("sleeper was handed")] == []


async def test_a_frozen_member_is_a_zombie_that_is_told(
    kafka: KafkaBroker, topic_name: str, harness: KafkaHarness, tmp_path: Path
) -> None:
    await (await harness.writer()).append([NewRecord(partition, b"t", b"x") for partition in range(PARTITIONS)])
    group = harness.group_id("frozen")
    speaks = harness.settings.group_protocol, harness.settings.assignment_strategy
    command = [sys.executable, "-m", "tests.broker.kafka_member", kafka.bootstrap, topic_name, group, *speaks]
    with Process(command, tmp_path / "member.log") as frozen:

        def told() -> list[str]:
            return frozen.tail().splitlines()

        await wait_for(lambda: "assigned 0 1 2 3 4 5" in told(), 30)
        frozen.pause()
        ledger = Ledger()
        heir = Member(KafkaHarness(harness.settings), ledger, "heir")
        heir.group = group
        heir.start()
        await wait_for(lambda: ledger.shares() == [6], 30)
        frozen.resume()
        await wait_for(lambda: "lost 0 1 2 3 4 5" in told(), 30)
        await wait_for(lambda: ledger.shares() == [3], 30)
        await wait_for(lambda: len([line for line in told() if line.startswith("assigned")]) > 1, 30)
        await asyncio.to_thread(heir.stop)
        await wait_for(lambda: sum(len(line.split()) - 1 for line in told()[2:]) >= PARTITIONS, 30)
    assert ledger.wrong == []
