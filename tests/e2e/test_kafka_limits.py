"""Two gateway processes on a real Kafka hold a tenant to one limit of active series and one rate."""

import re
import time
from pathlib import Path
from typing import Any

from tests.e2e.forebay import ForebayServer
from tests.faults.client import Client, now_ms, snappy
from tests.peers.kafka import KafkaBroker
from tests.wire.messages import WriteRequest

SHARING = "forebay_gateway_sharing_gateways"


def write(gateway: ForebayServer, tenant: str, series: range) -> int:
    """Series that were accepted."""
    request = WriteRequest()
    for number in series:
        entry = request.timeseries.add()
        entry.labels.add(name=b"__name__", value=b"limited")
        entry.labels.add(name=b"number", value=b"%d" % number)
        entry.samples.add(timestamp=now_ms(), value=1.0)
    answer = Client(gateway.url, tenant).post("/api/v1/write", snappy(request.SerializeToString()))
    if answer.status == 429:
        return 0
    assert answer.status in {204, 400}, answer.text
    refused = re.search(r"active_series=(\d+)", answer.text)
    return len(series) - (int(refused[1]) if refused else 0)


def test_gateways_hold_limits_together(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> None:
    overrides = tmp_path / "overrides.yaml"
    overrides.write_text(
        "tenants: {many: {max_active_series: 1000}, fast: {samples_per_second: 10, samples_burst: 100}}"
    )
    settings: dict[str, Any] = {
        "broker": {
            "type": "kafka",
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "topic": topic_name,
                "create_topic": {"partitions": 2, "replication_factor": 1},
            },
        },
        "overrides_file": str(overrides),
    }

    def gateway(number: int) -> ForebayServer:
        return ForebayServer(tmp_path / f"gateway-{number}", settings, role="gateway")

    with gateway(1) as one, gateway(2) as two:
        both = [one, two]
        for each in both:
            each.ready()
        deadline = time.monotonic() + 30
        while [each.metrics(SHARING).get(SHARING) for each in both] != [2, 2]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        time.sleep(2)  # a round in which both know it
        accepted = sum(write(both[turn % 2], "many", range(turn * 30, turn * 30 + 30)) for turn in range(100))
        assert 900 <= accepted <= 1100
        assert write(one, "fast", range(300)) == 300  # a full bucket goes into debt for half a minute
        time.sleep(3)
        assert write(two, "fast", range(10)) == 0
        assert one.stop() == two.stop() == 0
