"""One real Prometheus sends the same three times: relabelled by itself, and by Forebay over either protocol."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forebay import ForebayServer
from tests.e2e.prometheus import PrometheusServer
from tests.faults.client import Client, until
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.peer("prometheus-3.15")]

RULES: list[dict[str, Any]] = [
    {"action": "drop", "source_labels": ["__name__"], "regex": "go_.*|prometheus_tsdb_.*_total"},
    {"action": "keep", "source_labels": ["__name__", "code"], "regex": "[^;]+;(200)?"},
    {"source_labels": ["instance"], "regex": "([^:]+):(\\d+)", "target_label": "host", "replacement": "${1}"},
    {"action": "labelmap", "regex": "(hand|sli)(.*)", "replacement": "was_$1"},
    {"action": "labeldrop", "regex": "handler|slice|instance"},
    {"action": "uppercase", "source_labels": ["job"], "target_label": "JOB"},
    {"action": "hashmod", "source_labels": ["__name__", "le"], "modulus": 7, "target_label": "shard"},
    {"action": "drop", "source_labels": ["shard"], "regex": "(?i)[03]"},
    {"source_labels": ["__name__"], "regex": "(.*)_(.*)_total", "target_label": "__name__", "replacement": "$1:$2"},
]
TENANTS = ("by-sender", "by-gateway", "by-gateway-v2")


def test_what_a_sender_relabels_and_what_the_gateway_does_are_one(
    peer: Callable[[str], Recipe], tmp_path: Path
) -> None:
    (tmp_path / "overrides.yaml").write_text(
        json.dumps({"tenants": {tenant: {"relabel": RULES} for tenant in TENANTS[1:]}})
    )
    settings = {"overrides_file": "overrides.yaml", "self_metrics": {"enabled": False}}
    with (
        ForebayServer(tmp_path, settings) as forebay,
        PrometheusServer(peer("prometheus-3.15"), tmp_path / "sender") as sender,
    ):
        forebay.ready()
        sender.ready()
        writes = [
            {
                "url": f"{forebay.url}/api/v1/write",
                "headers": {"X-Scope-OrgID": tenant},
                "queue_config": {"batch_send_deadline": "1s"},
                **({"write_relabel_configs": RULES} if tenant == "by-sender" else {}),
                **({"protobuf_message": "io.prometheus.write.v2.Request"} if tenant == "by-gateway-v2" else {}),
            }
            for tenant in TENANTS
        ]
        common = {"global": {"scrape_interval": "1s", "external_labels": {"source": "e2e"}}, "remote_write": writes}
        job = {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{sender.port}"]}]}
        sender.configure(common | {"scrape_configs": [job]})
        clients = {tenant: Client(forebay.url, tenant) for tenant in TENANTS}
        until(lambda: len(clients["by-gateway-v2"].read(source="e2e")) > 1000, "samples of every tenant", 60)
        time.sleep(3)
        sender.configure(common)  # without targets: every series ends with a stale marker
        sender.wait_sent()
        found = {tenant: client.read(source="e2e") for tenant, client in clients.items()}
        dropped = forebay.metrics("forebay_gateway_dropped_samples_total")
    assert found["by-gateway"] == found["by-sender"]
    assert found["by-gateway-v2"] == found["by-sender"]
    assert len({labels for labels, _ in found["by-sender"]}) > 100
    assert any(
        dict(labels)[b"host"] == b"127.0.0.1" and b":" in dict(labels)[b"__name__"] for labels, _ in found["by-sender"]
    )
    assert sum(dropped.values()) > 1000
