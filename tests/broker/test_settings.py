from typing import Any

import msgspec
import pytest

from broker.settings import BrokerSettings, CreateTopic
from forebay.units import Duration, Size


def decode(section: dict[str, Any]) -> BrokerSettings:
    def units(kind: type, value: Any) -> Any:
        return kind.parse(value) if kind in {Duration, Size} else value

    return msgspec.convert(section, BrokerSettings, dec_hook=units)


def test_everything_has_a_default() -> None:
    settings = decode({})
    assert settings == BrokerSettings()
    assert (settings.type, settings.embedded.partitions, str(settings.embedded.retention)) == ("embedded", 4, "1d")


def test_a_label_window_of_nothing_is_refused() -> None:
    assert str(BrokerSettings().label_window) == "7m30s"
    with pytest.raises(msgspec.ValidationError, match="label_window must be more than 0"):
        decode({"label_window": "0s"})


def test_reads_the_documented_section() -> None:
    settings = decode(
        {
            "type": "kafka",
            "kafka": {
                "bootstrap_servers": "kafka:9092",
                "topic": "forebay",
                "create_topic": {"partitions": 64, "replication_factor": 3},
                "librdkafka": {"linger.ms": 5},
            },
            "embedded": {"partitions": 8, "retention": "12h", "retention_bytes": "1GiB", "queue_bytes": "8MiB"},
        }
    )
    assert settings.kafka.create_topic == CreateTopic(64, 3)
    assert settings.embedded.retention.seconds == 12 * 3600
    assert settings.embedded.queue_bytes == 8 << 20


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"type": "redis"}, r"\$\.type"),
        ({"embeded": {}}, "embeded"),
        ({"embedded": {"partitions": 0}}, r"\$\.embedded"),
        ({"embedded": {"partitions": 5000}}, r"\$\.embedded"),
        ({"embedded": {"retention": "0s"}}, r"\$\.embedded"),
        ({"embedded": {"retention": "soon"}}, r"\$\.embedded\.retention"),
        ({"embedded": {"retention_bytes": "1KiB"}}, r"\$\.embedded"),
        ({"embedded": {"queue_bytes": "0"}}, r"\$\.embedded"),
        ({"kafka": {"create_topic": {"partitions": 0}}}, r"\$\.kafka\.create_topic"),
    ],
)
def test_a_mistake_is_named_by_its_path(section: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=path):
        decode(section)
