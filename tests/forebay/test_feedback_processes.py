"""Several processes behind one port, on a real Kafka: what any of them is asked is said for all of them."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.client import until
from tests.forebay.server import Role
from tests.forebay.test_limits_live import ask
from tests.forebay.test_rejections import rejections, write
from tests.peers.kafka import KafkaBroker

pytestmark = pytest.mark.peer("kafka-4.1")
WIDE = {"__name__": "wide", "a": "1", "b": "2", "c": "3"}
PROPOSED = {"tenants": {"team-a": {"max_label_pairs": 1}}}
SENT = 60


@pytest.fixture
def gateway(kafka: KafkaBroker, topic_name: str, tmp_path: Path) -> Iterator[Role]:
    kafka.create_topic(topic_name, 4)
    settings = {
        "broker": {"type": "kafka", "kafka": {"bootstrap_servers": kafka.bootstrap, "topic": topic_name}},
        "limits": {"max_label_pairs": 3},
    }
    with Role("gateway", tmp_path, settings, "--web.processes=2", "--web.enable-admin-api") as role:
        role.ready()
        yield role


def test_rejections_and_trials_are_of_all_processes(gateway: Role) -> None:
    status, document = ask(gateway, "POST", "seconds=60", json.dumps(PROPOSED).encode())
    assert status == 200
    query, now = f"id={document['data']['id']}", int(time.time() * 1000)
    for number in range(SENT):  # each comes over a connection of its own, so each process gets some
        narrow = {"__name__": "narrow", "a": "1"}
        assert write(gateway, (WIDE, [(now, 1.0)]), (narrow, [(now + number, 1.0)]), tenant="team-a") == 400
    for _ in range(5):
        assert rejections(gateway, "team-a") == {"too_many_labels": ("gateway", SENT)}

    def judged() -> list[tuple[int, int]]:
        tenants = ask(gateway, "GET", query)[1]["data"]["tenants"]
        return [(each["samples"], sum(row["samples"] for row in each["report"]["reasons"])) for each in tenants]

    until(lambda: judged() == [(2 * SENT, 2 * SENT)], "everything is judged")
    assert ask(gateway, "POST", "", b"")[0] == 409
    assert ask(gateway, "DELETE", query)[0] == 200
    assert ask(gateway, "GET", query)[0] == 404
    assert gateway.stop() == 0
