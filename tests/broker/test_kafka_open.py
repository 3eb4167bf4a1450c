"""What is wrong with cluster, topic or settings is said at the start, with what to do about it."""

import pytest

from broker import kafka_topic
from broker.kafka_reader import KafkaReader
from broker.kafka_writer import KafkaWriter
from broker.log import LogUnavailable, NewRecord
from broker.settings import CreateTopic
from forebay.errors import Fatal, ForebayError
from tests.broker.contract import Recorder, poll_all, values
from tests.broker.kafka_harness import KafkaHarness, settings_of
from tests.peers.kafka import PASSWORD, USER, KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")

SCRAM: dict[str, str | int | float | bool] = {
    "security.protocol": "SASL_PLAINTEXT",
    "sasl.mechanism": "SCRAM-SHA-256",
    "sasl.username": USER,
    "sasl.password": PASSWORD,
}


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (
            {"message_timestamp_type": "CreateTime"},
            r"message\.timestamp\.type=CreateTime needed=LogAppendTime",
        ),
        ({"cleanup_policy": "compact"}, r"cleanup\.policy=compact needed=delete .*hint: kafka-configs\.sh --alter"),
        ({"cleanup_policy": "compact,delete"}, r"cleanup\.policy=compact,delete needed=delete"),
        ({"max_message_bytes": 900_000}, r"max\.message\.bytes=900000 needed=1000000 .*add-config max\.message\.bytes"),
    ],
)
def test_a_topic_that_is_not_fit(kafka: KafkaBroker, topic_name: str, config: dict[str, str | int], told: str) -> None:
    kafka.create_topic(topic_name, 1, **config)
    for kind in (KafkaWriter, KafkaReader):
        with pytest.raises(Fatal, match=f"topic={topic_name} .*{told}"):
            kind(settings_of(kafka.bootstrap, topic_name))


def test_a_topic_that_is_not_there(kafka: KafkaBroker, topic_name: str) -> None:
    with pytest.raises(Fatal, match=rf"no such topic topic={topic_name} .*or set broker\.kafka\.create_topic"):
        KafkaWriter(settings_of(kafka.bootstrap, topic_name))
    with pytest.raises(Fatal, match=r"not a name for a topic .*hint: set broker\.kafka\.topic"):
        KafkaWriter(settings_of(kafka.bootstrap, "no/name"))
    three = CreateTopic(partitions=4, replication_factor=3)
    with pytest.raises(Fatal, match=r"cannot be made .*hint: set broker\.kafka\.create_topic\.replication_factor"):
        KafkaWriter(settings_of(kafka.bootstrap, topic_name, create_topic=three))


async def test_a_topic_is_made_fit_once_and_never_changed(kafka: KafkaBroker, topic_name: str) -> None:
    settings = settings_of(kafka.bootstrap, topic_name, create_topic=CreateTopic(partitions=3, replication_factor=1))
    harness = KafkaHarness(settings)
    writer = await harness.writer()
    await writer.append([NewRecord(2, b"t", b"x")])
    larger = settings_of(kafka.bootstrap, topic_name, create_topic=CreateTopic(partitions=9, replication_factor=1))
    other = KafkaReader(larger)
    assert other.partitions == writer.partitions == 3
    other.close()
    await harness.close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"sasl.password": "wrong"},
            "authentication failed .*SCRAM-SHA-256 .*hint: see broker.kafka.librdkafka",
        ),
        (
            {"sasl.mechanism": "PLAIN", "sasl.username": "nobody"},
            "failed .*Invalid username or password",
        ),
        ({"sasl.mechanism": "SCRAM-SHA-512"}, "authentication failed .*supported mechanisms: PLAIN,SCRAM-SHA-256"),
    ],
)
def test_credentials_that_the_broker_refuses(
    kafka: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(kafka_topic, "REQUEST_SECONDS", 2.0)
    kafka.create_topic(topic_name, 1)
    with pytest.raises(Fatal, match=told):
        KafkaWriter(settings_of(kafka.sasl_bootstrap, topic_name, librdkafka=SCRAM | change))


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
async def test_a_log_behind_a_password(kafka: KafkaBroker, topic_name: str, mechanism: str) -> None:
    kafka.create_topic(topic_name, 1)
    security = SCRAM | {"sasl.mechanism": mechanism}
    harness = KafkaHarness(settings_of(kafka.sasl_bootstrap, topic_name, librdkafka=security))
    writer, reader = await harness.writer(), harness.reader()
    await writer.append([NewRecord(0, b"t", b"secret")])
    assert values(reader.read(0, 0, 1000)) == [b"secret"]
    assert values(poll_all(harness.subscription("group", Recorder()), 1)) == [b"secret"]
    await harness.close()


@pytest.mark.parametrize(
    ("bootstrap", "librdkafka", "told"),
    [
        ("127.0.0.1:1", {}, "127.0.0.1:1 failed: Connection refused"),
        ("kafka.invalid:9092", {}, "Failed to resolve 'kafka.invalid:9092'"),
        (
            "",
            {"security.protocol": "SSL"},
            "connecting to a PLAINTEXT|SSL connection closed by peer",
        ),
        ("sasl", {}, "brokers are down"),
    ],
)
def test_a_cluster_that_does_not_answer_may_do_so_later(
    kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch, bootstrap: str, librdkafka: dict[str, str], told: str
) -> None:
    monkeypatch.setattr(kafka_topic, "REQUEST_SECONDS", 2.0)
    address = {"": kafka.bootstrap, "sasl": kafka.sasl_bootstrap}.get(bootstrap, bootstrap)
    with pytest.raises(LogUnavailable, match=rf"({told}).*hint: see broker\.kafka\.bootstrap_servers"):
        KafkaWriter(settings_of(address, "any", librdkafka=librdkafka))


@pytest.mark.parametrize(
    ("librdkafka", "told"),
    [
        ({"no.such": 1}, 'No such configuration property: "no.such"'),
        ({"socket.timeout.ms": "long"}, "Invalid value for configuration property"),
        ({"security.protocol": "SSL", "ssl.ca.location": "/nowhere"}, r"ssl\.ca\.location failed"),
    ],
)
def test_settings_that_librdkafka_refuses(kafka: KafkaBroker, librdkafka: dict[str, str | int], told: str) -> None:
    with pytest.raises(ForebayError, match=rf"({told}).*hint: see broker\.kafka\.librdkafka") as raised:
        KafkaWriter(settings_of(kafka.bootstrap, "any", librdkafka=librdkafka))
    assert isinstance(raised.value, Fatal)
