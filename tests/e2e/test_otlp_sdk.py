"""A real OpenTelemetry SDK writes through restarts of the gateway and an outage of Kafka: all it exported is in blocks.

But for one series, which a limit is meant to cut: the exporter is told so as partial success, and notices nothing else.
What the SDK's exporter is handed is kept and translated here, too; that the translation is right is for
tests/gateway/otlp/test_differential.py.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import load
from tests.gateway.otlp.stored import exemplars_of, samples_of
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe
from tests.senders.sdk import LONG, Application, Exporter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.peer("kafka-4.1")]


@pytest.fixture
def broker(peer: Callable[[str], Recipe], tmp_path: Path) -> Iterator[KafkaBroker]:
    with KafkaBroker(peer("kafka-4.1"), tmp_path / "broker") as broker:
        yield broker


def test_nothing_that_the_sdk_exports_is_lost(
    broker: KafkaBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {
        "limits": {"max_label_value_bytes": len(LONG) - 1},
        "broker": {
            "type": "kafka",
            "kafka": {
                "bootstrap_servers": broker.bootstrap,
                "create_topic": {"partitions": 4, "replication_factor": 1},
                "delivery_timeout": "3s",
            },
        },
        "gateway": {"append_timeout": "4s"},
        "bucket": {"type": "FILESYSTEM", "config": {"directory": str(tmp_path / "bucket")}},
        "segment": {"interval": "5s", "grace": "1s"},
    }
    with (
        ForebayServer(tmp_path / "gateway", settings, role="gateway") as gateway,
        ForebayServer(tmp_path / "consumer", settings, role="consumer") as consumer,
    ):
        gateway.ready()
        consumer.ready()
        exporter = Exporter(gateway.url)
        application = Application(exporter)
        exporter.wait()
        assert gateway.stop() == 0
        time.sleep(1)
        gateway.start().ready()
        exporter.wait()
        broker.pause()
        time.sleep(6)
        broker.resume()
        exporter.wait()
        gateway.kill()
        gateway.start().ready()
        exporter.wait()
        application.end()
        assert exporter.failed == 0
        assert "Transient error" in caplog.text, "the exporter met no trouble"
        consumer.wait_published()
        code, report = audit(consumer.settings_file, consumer.data, "--deep")
        assert code == 0, report
    bodies = exporter.translated()
    expected, stored = samples_of(bodies), load(tmp_path / "bucket")
    names = {dict(labels)[b"__name__"].decode() for labels, _ in expected}
    assert names == {
        "shop_orders_total",
        "shop_queue_length",
        "http_server_request_duration_seconds_bucket",
        "http_server_request_duration_seconds_count",
        "http_server_request_duration_seconds_sum",
        "order_size_exponential_bytes",
        "system_load_ratio",
        "target_info",
        "long_story_total",
    }
    assert len(exporter.exported) > 10
    assert {labels[0][0] for _, labels, _, _ in exemplars_of(bodies)} == {b"span_id"}
    assert {key: set(values) for key, values in stored.items()} == {
        key: set(values) for key, values in expected.items() if (b"__name__", b"long_story_total") not in key[0]
    }
