from pathlib import Path

from broker.log import NewRecord
from broker.open import open_group, open_reader, open_subscription, open_writer
from broker.settings import BrokerSettings, CreateTopic, KafkaSettings
from forebay.clock import SystemClock
from tests.broker.contract import Recorder, poll_all, read_all, values
from tests.peers.kafka import KafkaBroker


async def test_opens_the_embedded_log(tmp_path: Path) -> None:
    settings = BrokerSettings()
    writer = open_writer(settings, tmp_path / "log", SystemClock())
    await writer.append([NewRecord(3, b"t", b"x")])
    reader = open_reader(settings, tmp_path / "log")
    subscription = open_subscription(settings, tmp_path / "log", "group", Recorder(), SystemClock())
    assert values(read_all(reader, 3)) == values(poll_all(subscription, 1)) == [b"x"]
    assert open_group(settings, tmp_path / "log", "group").describe().owner(3)
    subscription.close()
    reader.close()
    await writer.close()


async def test_opens_kafka(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> None:
    settings = BrokerSettings(
        type="kafka",
        kafka=KafkaSettings(
            bootstrap_servers=kafka.bootstrap, topic=topic_name, create_topic=CreateTopic(3, replication_factor=1)
        ),
    )
    writer = open_writer(settings, tmp_path, SystemClock())
    assert (writer.log_id, writer.partitions) == (kafka.topic_id(topic_name), 3)
    await writer.append([NewRecord(2, b"t", b"x")])
    reader = open_reader(settings, tmp_path)
    subscription = open_subscription(settings, tmp_path, topic_name, Recorder(), SystemClock(), member="one")
    assert values(read_all(reader, 2)) == values(poll_all(subscription, 1)) == [b"x"]
    assert open_group(settings, tmp_path, topic_name).describe().owner(2) == "one@127.0.0.1"
    subscription.close()
    reader.close()
    await writer.close()
