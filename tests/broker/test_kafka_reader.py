"""What Kafka's reader does beyond the contract."""

from collections.abc import Sequence

import pytest

from broker.kafka_reader import KafkaReader
from broker.log import LogUnavailable, NewRecord
from broker.settings import CreateTopic, KafkaSettings
from tests.broker.contract import read_all
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker


def test_whoever_only_looks_makes_no_topic(kafka: KafkaBroker, topic_name: str) -> None:
    settings = KafkaSettings(
        bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=CreateTopic(1, replication_factor=1)
    )
    for _ in range(2):
        with pytest.raises(LogUnavailable, match=f"there is no log yet topic={topic_name}"):
            KafkaReader(settings)


async def test_many_batches_cost_few_questions(
    kafka: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = KafkaHarness(settings_of(kafka.bootstrap, kafka.create_topic(topic_name, 1)))
    writer, reader = await harness.writer(), harness.reader()
    questions = 0
    ask = reader._topic.ends

    def counted(partitions: Sequence[int], *, start: bool = False) -> dict[int, int]:
        nonlocal questions
        questions += 1
        return ask(partitions, start=start)

    monkeypatch.setattr(reader._topic, "ends", counted)
    for first in (0, 100):
        await writer.append([NewRecord(0, b"t", b"x")] * 100)
        found = read_all(reader, 0, first, max_bytes=10)
        assert [record.offset for record in found] == list(range(first, first + 100))
    assert questions == 4  # where the records begin to be new, and where there are no more
    await harness.close()
