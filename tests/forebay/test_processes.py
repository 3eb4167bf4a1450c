"""`forebay gateway --web.processes`: several processes on a real Kafka that look like one."""

import http.client
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import psutil
import pytest

from broker.open import open_reader
from broker.settings import BrokerSettings, KafkaSettings
from tests.faults.client import now_ms, snappy, until
from tests.forebay.server import Role, run
from tests.peers.kafka import KafkaBroker
from tests.wire.messages import WriteRequest

pytestmark = pytest.mark.peer("kafka-4.1")
_HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}


class Sender(threading.Thread):
    """Sends one sample at a time over a connection that it keeps, each until it is acknowledged."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self.promised: list[tuple[int, int]] = []
        self.answers: list[int] = []
        self.errors: list[str] = []
        self.ended = threading.Event()
        self._number = number
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def run(self) -> None:
        round_ = 0
        while not self.ended.is_set():
            while not self._send(round_) and not self.ended.is_set():
                time.sleep(0.05)
            self.promised.append((self._number, round_))
            round_ += 1
        self._connection.close()

    def _send(self, round_: int) -> bool:
        request = WriteRequest()
        entry = request.timeseries.add(samples=[{"value": round_, "timestamp": now_ms()}])
        entry.labels.add(name=b"__name__", value=b"sent")
        entry.labels.add(name=b"sender", value=str(self._number).encode())
        try:
            self._connection.request("POST", "/api/v1/write", snappy(request.SerializeToString()), _HEADERS)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.errors.append(f"{type(error).__name__}: {error}")
            self._connection.close()
            return False
        self.answers.append(answer.status)
        return answer.status == 204


class Senders:
    def __init__(self, role: Role, count: int) -> None:
        port = int(role.url.rpartition(":")[2])
        self.all = [Sender(port, number) for number in range(count)]

    def __enter__(self) -> Self:
        for each in self.all:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.all:
            each.ended.set()
        for each in self.all:
            each.join()

    def progress(self) -> int:
        return sum(len(each.promised) for each in self.all)

    @property
    def errors(self) -> list[str]:
        return [error for each in self.all for error in each.errors]

    @property
    def refused(self) -> set[int]:
        return {status for each in self.all for status in each.answers} - {204}


def stored(kafka: KafkaSettings, directory: Path) -> set[tuple[int, int]]:
    """What lies in the topic, by sender and round."""
    reader = open_reader(BrokerSettings(type="kafka", kafka=kafka), directory)
    found = set()
    for partition in range(reader.partitions):
        offset = 0
        while records := reader.read(partition, offset, 1 << 24):
            for record in records:
                request = WriteRequest()
                request.ParseFromString(record.value)
                for series in request.timeseries:
                    (sender,) = (label.value for label in series.labels if label.name == b"sender")
                    found |= {(int(sender), int(sample.value)) for sample in series.samples}
            offset = records[-1].offset + 1
    reader.close()
    return found


@pytest.fixture
def topic(kafka: KafkaBroker, topic_name: str) -> KafkaSettings:
    kafka.create_topic(topic_name, 4)
    return KafkaSettings(bootstrap_servers=kafka.bootstrap, topic=topic_name)


@pytest.fixture
def gateway(topic: KafkaSettings, tmp_path: Path) -> Iterator[Role]:
    section = {"type": "kafka", "kafka": {"bootstrap_servers": topic.bootstrap_servers, "topic": topic.topic}}
    patient = {"burst_wait": "30s", "standing_wait": "30s"}  # a slow machine is no overload
    settings = {"broker": section, "gateway": patient}
    with Role("gateway", tmp_path, settings, "--web.processes=2", "--web.enable-lifecycle") as role:
        role.ready()
        yield role


def workers(role: Role) -> list[psutil.Process]:
    return psutil.Process(role.pid).children()


def metric(role: Role, name: str) -> float:
    status, page = role.get("/metrics")
    assert status == 200
    (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", page.decode(), re.MULTILINE)
    return float(value)


ACKNOWLEDGED = 'forebay_gateway_requests_total{code="204"}'


def test_two_processes_share_connections_and_answer_as_one(gateway: Role, topic: KafkaSettings, tmp_path: Path) -> None:
    with Senders(gateway, 24) as senders:
        until(lambda: senders.progress() > 300, "progress")
        held = [sum(each.status == "ESTABLISHED" for each in one.net_connections("tcp")) for one in workers(gateway)]
    assert len(held) == 2
    assert min(held) >= 2, held  # Kafka's own connections count, too: one or two of each
    assert (senders.errors, senders.refused) == ([], set())
    assert metric(gateway, ACKNOWLEDGED) == metric(gateway, ACKNOWLEDGED) == senders.progress()
    assert metric(gateway, "forebay_gateway_processes") == 2
    assert metric(gateway, "forebay_gateway_partitions") == 4
    assert gateway.get("/-/ready") == (200, b"ready\n")
    assert gateway.post("/-/reload")[0] == 200
    os.kill(gateway.pid, signal.SIGHUP)
    assert {line for line in ("process=0", "process=1") if line in gateway.tail()} == {"process=0", "process=1"}
    assert gateway.stop() == 0
    assert stored(topic, tmp_path) == {each for sender in senders.all for each in sender.promised}


def test_a_process_that_is_killed_comes_back_and_nothing_acknowledged_is_lost(
    gateway: Role, topic: KafkaSettings, tmp_path: Path
) -> None:
    seen = []
    with Senders(gateway, 8) as senders:
        until(lambda: senders.progress() > 100, "progress")
        seen.append(metric(gateway, ACKNOWLEDGED))
        victim = workers(gateway)[0]
        victim.kill()

        def back() -> bool:
            seen.append(metric(gateway, ACKNOWLEDGED))
            return metric(gateway, "forebay_gateway_processes") == 2 and gateway.get("/-/ready")[0] == 200

        until(back, "two processes")
        before = senders.progress()
        until(lambda: senders.progress() > before + 100, "progress")
    assert victim.pid not in {each.pid for each in workers(gateway)}
    assert metric(gateway, "forebay_gateway_process_restarts_total") == 1
    assert seen == sorted(seen)
    assert not [error for error in senders.errors if "refused" in error.lower()]
    assert gateway.stop() == 0
    assert {each for sender in senders.all for each in sender.promised} <= stored(topic, tmp_path)


def test_replacing_every_process_refuses_no_connection_and_fails_no_request(
    gateway: Role, topic: KafkaSettings, tmp_path: Path
) -> None:
    before = {each.pid for each in workers(gateway)}
    with Senders(gateway, 12) as senders:
        until(lambda: senders.progress() > 100, "progress")
        seen = [metric(gateway, ACKNOWLEDGED)]
        os.kill(gateway.pid, signal.SIGUSR2)

        def replaced() -> bool:
            seen.append(metric(gateway, ACKNOWLEDGED))
            assert gateway.get("/-/ready")[0] == 200
            return "all processes were replaced" in gateway.tail(200)

        until(replaced, "replacement", 60)
        started = senders.progress()
        until(lambda: senders.progress() > started + 100, "progress")
    assert (senders.errors, senders.refused) == ([], set())
    assert not before & {each.pid for each in workers(gateway)}
    assert seen == sorted(seen)
    assert metric(gateway, ACKNOWLEDGED) == senders.progress()
    assert metric(gateway, "forebay_gateway_process_restarts_total") == 0
    assert gateway.stop() == 0
    assert stored(topic, tmp_path) == {each for sender in senders.all for each in sender.promised}


def test_processes_do_not_outlive_their_supervisor(gateway: Role) -> None:
    left = workers(gateway)
    gateway.kill()
    assert psutil.wait_procs(left, timeout=20)[1] == []


def test_an_embedded_log_has_one_writer(tmp_path: Path) -> None:
    told = run("gateway", "--web.processes=2", f"--data.dir={tmp_path}")
    assert told.returncode == 2
    assert "web.processes must be 1 on an embedded log" in told.stderr


def test_what_cannot_be_shared_out_is_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("{broker: {type: kafka}, web: {processes: 8}}")
    told = run("check-config", f"--config.file={tmp_path / 'settings.yaml'}")
    assert told.returncode == 2
    assert "web.processes is 8, and shared among them in_flight_bytes must be at least" in told.stderr


def test_a_port_that_is_taken_is_told_once(gateway: Role, tmp_path: Path) -> None:
    told = run(
        "gateway",
        "--web.processes=2",
        f"--config.file={gateway.settings_file}",
        f"--web.listen-address={gateway.url.removeprefix('http://')}",
    )
    assert told.returncode == 3
    assert "cannot listen" in told.stderr
    assert "hint=" in told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("told_by_the_log", [True, False])
def test_a_tenant_is_held_to_its_rate_wherever_its_connections_lie(
    topic: KafkaSettings, tmp_path: Path, *, told_by_the_log: bool
) -> None:
    kafka: dict[str, object] = {"bootstrap_servers": topic.bootstrap_servers, "topic": topic.topic}
    if told_by_the_log:
        kafka["create_topic"] = {"partitions": 1, "replication_factor": 1}
    settings = {
        "broker": {"type": "kafka", "kafka": kafka},
        "limits": {"samples_per_second": 40, "samples_burst": 40},
    }
    with Role("gateway", tmp_path, settings, "--web.processes=2") as role:
        role.ready()
        began = time.monotonic()
        with Senders(role, 8) as senders:
            time.sleep(10)
        seconds = time.monotonic() - began
    assert senders.refused == {429}
    # Beyond the rate each process lets a burst through, and what comes until it hears of the other.
    assert 40 * 8 < senders.progress() < 40 * seconds + 2 * (40 + 40)
