"""docker-compose.yml runs: real Kafka, S3 server, proxy and Prometheus, and our roles, with its flags and its files."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource

from tests.deploy.compose import ROOT
from tests.deploy.name_server import NameServer
from tests.deploy.stack import Stack, properties_of
from tests.peers.process import Process
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PEERS = ("kafka-4.1", "versitygw", "nginx", "prometheus-3.15")


def eventually(condition: Callable[[], bool], what: str, timeout: float = 150) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


class Up:
    """All of it running, as after `docker compose up --wait`."""

    def __init__(self, stack: Stack, parts: ExitStack) -> None:
        self.stack = stack
        self.processes: dict[str, Process] = {}
        self._parts = parts

    def run(self, name: str, process: Process) -> Process:
        self._parts.callback(process.kill)
        self.processes[name] = process
        return process

    def query(self, promql: str) -> list[tuple[dict[str, str], float]]:
        """What the reader answers; it stores nothing, so all of it comes from Forebay."""
        url = f"http://{self.stack.address('reader', 9090)}/api/v1/query?query={urllib.parse.quote(promql)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            document = json.loads(answer.read())
        assert not document.get("warnings"), document["warnings"]
        return [(each["metric"], float(each["value"][1])) for each in document["data"]["result"]]

    def metric(self, address: str, name: str) -> float:
        """One of a process' own, summed over its labels."""
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        values = [float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} "))]
        assert values, f"{address} has no metric {name}"
        return sum(values)

    def sent(self, kind: str = "") -> float:
        """Samples of the agent: all, or those that failed or were retried."""
        name = f"prometheus_remote_storage_samples_{kind}_total" if kind else "prometheus_remote_storage_samples_total"
        return self.metric(self.stack.address("prometheus", 9090), name)


@pytest.fixture(scope="module")
def up(peer: Callable[[str], Recipe], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    for name in PEERS:
        peer(name)
    stack = Stack(tmp_path_factory.mktemp("compose"), peer)
    with ExitStack() as parts:
        up = Up(stack, parts)
        up.run("kafka", stack.start_kafka())
        store = up.run("object-store", stack.start_object_store())
        store.wait_ready(f"http://{stack.address('object-store', 7070)}/health")
        admin = AdminClient({"bootstrap.servers": stack.address("kafka", 9092), "log_level": 0})
        eventually(lambda: 1 in admin.list_topics(timeout=60).brokers, "kafka does not serve")
        for _ in range(2):  # a second `docker compose up` runs it again
            done = stack.prepare()
            assert done.returncode == 0, done.stderr
        for name in ("gateway", "consumer", "compactor"):
            for replica in range(1, stack.services[name].replicas + 1):
                up.run(f"{name}-{replica}", stack.start_role(name, replica, often))
        for name in ("gateway", "consumer", "compactor"):
            for replica in range(1, stack.services[name].replicas + 1):
                eventually(lambda n=name, r=replica: stack.healthy(n, r), f"{name}-{replica} is not healthy")  # type: ignore[misc]
        up.run("proxy", stack.start_proxy(parts.enter_context(NameServer(stack.names))))
        agent, reader = (up.run(name, stack.start_prometheus(name)) for name in ("prometheus", "reader"))
        agent.wait_ready(f"http://{stack.address('prometheus', 9090)}/-/ready")
        reader.wait_ready(f"http://{stack.address('reader', 9090)}/-/ready")
        yield up


def often(settings: str) -> str:
    """Segments that end while a test runs; all else stays."""
    assert settings.count("interval: 5m") == 1
    return settings.replace("interval: 5m", "interval: 5s, grace: 1s")


def test_every_property_of_the_broker_is_kafkas(up: Up) -> None:
    admin = AdminClient({"bootstrap.servers": up.stack.address("kafka", 9092)})
    broker = ConfigResource(ConfigResource.Type.BROKER, "1")
    known = admin.describe_configs([broker])[broker].result(30)
    assert set(properties_of(up.stack.services["kafka"])) - set(known) == set()


def test_what_prometheus_scrapes_is_read_back_through_every_part(up: Up) -> None:
    def seen() -> bool:
        return {metric["job"] for metric, value in up.query("up == 1")} == {
            "gateway",
            "consumer",
            "compactor",
            "prometheus",
        }

    eventually(seen, "not every job was read back")
    # Every single one of them, too: the last may be scraped, and read back, after others of its job.
    eventually(lambda: [value for _, value in up.query("count(up == 1)")] == [7], "not every process was read back")
    # Both consumers work: each has its share of the topic's partitions.
    eventually(lambda: len(up.query("forebay_consumer_partitions > 0")) == 2, "one consumer has it all")


def test_a_gateway_is_killed_and_no_sender_sees_it(up: Up) -> None:
    before = up.sent()
    up.processes["gateway-1"].kill()
    eventually(lambda: up.sent() > before + 2000, "nothing is sent")
    up.stack.names["gateway"].remove("127.0.0.11")
    for kind in ("failed", "retried"):
        assert up.sent(kind) == 0
    gateway = up.run("gateway-1", up.stack.start_role("gateway", 1, often))
    gateway.wait_ready(f"http://{up.stack.address('gateway', 9201)}/-/ready")


def test_one_more_of_each_takes_its_share(up: Up) -> None:
    """As `docker compose up --scale consumer=3 --scale gateway=3`."""
    for name in ("gateway", "consumer"):
        up.run(f"{name}-3", up.stack.start_role(name, 3, often))
    consumer, gateway = up.stack.address("consumer", 9203, 3), up.stack.address("gateway", 9201, 3)
    up.processes["gateway-3"].wait_ready(f"http://{gateway}/-/ready")
    up.processes["consumer-3"].wait_ready(f"http://{consumer}/-/ready")
    eventually(lambda: 4 <= up.metric(consumer, "forebay_consumer_partitions") <= 6, "it has no share")
    eventually(lambda: up.metric(gateway, "forebay_gateway_samples_total") > 0, "it gets no requests")
    assert up.sent("failed") == 0


def test_a_body_above_the_cap_is_refused_by_the_proxy_as_by_the_gateway(up: Up) -> None:
    url = f"http://{up.stack.address('proxy', 9201)}/api/v1/write"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, bytes((32 << 20) + 1)), timeout=30)
    assert refused.value.code == 413
    refused.value.close()


def test_all_end_in_time_and_the_audit_finds_every_sample(up: Up) -> None:
    """The last test of the module: it ends what the others use."""
    sent = up.sent()
    assert up.processes["prometheus"].stop() == 0
    for replica in (1, 2, 3):
        assert up.processes[f"gateway-{replica}"].stop(up.stack.services["gateway"].grace_ms / 1000) == 0
    url = f"http://{up.stack.address('consumer', 9203)}/api/v1/status"

    def published() -> bool:
        with urllib.request.urlopen(url, timeout=10) as answer:
            rows = json.loads(answer.read())["partitions"]
        return len(rows) == 16 and all(row["manifest_end"] == row["end_offset"] for row in rows)

    eventually(published, "not all is published")
    for name, replica in (("consumer", 1), ("consumer", 2), ("consumer", 3), ("compactor", 1)):
        assert up.processes[f"{name}-{replica}"].stop(up.stack.services[name].grace_ms / 1000) == 0
    environment = os.environ | up.stack.services["consumer"].environment
    settings = up.stack.settings("consumer", often)
    command = [sys.executable, "-m", "forebay", "audit", f"--config.file={settings}", "--deep", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["totals"]["samples"] >= sent > 5000
