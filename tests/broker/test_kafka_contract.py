"""The contract, kept by a real Kafka, whatever its groups speak."""

from collections.abc import AsyncIterator

import pytest

from tests.broker.contract import PARTITIONS, LogContract
from tests.broker.group_contract import GroupViewContract
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")

GROUPS: dict[str, dict[str, object]] = {
    "cooperative": {},
    "eager": {"assignment_strategy": "range"},
    "kip-848": {"group_protocol": "consumer"},
}


@pytest.fixture(params=GROUPS)
async def harness(kafka: KafkaBroker, topic_name: str, request: pytest.FixtureRequest) -> AsyncIterator[KafkaHarness]:
    kafka.create_topic(topic_name, PARTITIONS)
    harness = KafkaHarness(settings_of(kafka.bootstrap, topic_name, **GROUPS[request.param]))
    yield harness
    await harness.close()


class TestKafkaLog(LogContract):
    pass


class TestKafkaGroupView(GroupViewContract):
    pass
