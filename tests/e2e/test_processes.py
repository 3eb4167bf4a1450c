"""A real Prometheus sends to a gateway of two processes that are replaced under it, and notices nothing."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forebay import ForebayServer
from tests.e2e.prometheus import PrometheusServer
from tests.faults.client import until
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.peer("kafka-4.1"), pytest.mark.peer("prometheus-3.15")]
_SENT = "prometheus_remote_storage_samples_total"
_TROUBLE = (
    "prometheus_remote_storage_samples_failed_total",
    "prometheus_remote_storage_samples_retried_total",
    "prometheus_remote_storage_samples_dropped_total",
)


def test_processes_are_replaced_under_a_prometheus(
    peer: Callable[[str], Recipe], kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    kafka.create_topic(topic_name, 4)
    broker = {"type": "kafka", "kafka": {"bootstrap_servers": kafka.bootstrap, "topic": topic_name}}
    settings: dict[str, Any] = {"broker": broker}
    with (
        ForebayServer(tmp_path / "forebay", settings, "--web.processes=2", role="gateway") as gateway,
        PrometheusServer(peer("prometheus-3.15"), tmp_path / "prometheus") as prometheus,
    ):
        gateway.ready()
        prometheus.ready()
        queue = {"batch_send_deadline": "100ms", "min_shards": 4, "max_samples_per_send": 100}
        target = {"targets": [f"127.0.0.1:{prometheus.port}"]}
        prometheus.configure(
            {
                "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
                "scrape_configs": [{"job_name": "itself", "static_configs": [target]}],
                "remote_write": [{"url": f"{gateway.url}/api/v1/write", "queue_config": queue}],
            }
        )

        def sent() -> float:
            return prometheus.metrics(_SENT).get(_SENT, 0)

        until(lambda: sent() > 2000, "samples sent")
        for _ in range(2):
            told = gateway.log.read_text().count("all processes were replaced")
            os.kill(gateway.pid, signal.SIGUSR2)
            until(
                lambda told=told: gateway.log.read_text().count("all processes were replaced") > told,
                "replacement",
                90,
            )
            before = sent()
            until(lambda before=before: sent() > before + 2000, "more samples sent")
        time.sleep(1)
        assert {name: prometheus.metrics(name).get(name, 0) for name in _TROUBLE} == dict.fromkeys(_TROUBLE, 0)
        assert gateway.stop() == 0
