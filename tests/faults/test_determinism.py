"""One log built four times, by other threads, hash seeds and days: the same objects with the same bytes."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.forebay import ROOT, ForebayServer
from tests.e2e.samples import Samples, load
from tests.faults.client import Client, now_ms, snappy
from tests.forebay.server import Role
from tests.wire.messages import WriteRequest

PARTITIONS = {
    "broker": {"embedded": {"partitions": 3}},
    "external_labels": {"zone": "z", "cluster": "eu1"},
    "ha": {"tenants": ["gamma"], "failover_timeout": "800ms"},
}
HOUR = 3_600_000
TENANTS = ("alpha", "beta", "gamma")
_ENDED = re.compile(rb'"ended_by": ?"(idle|mark)"')


def histogram(at: int, count: int) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {"count_int": 3 * count, "positive_deltas": [count, count], "schema": 3},
        {"count_float": 3.0 * count, "positive_counts": [1.0 * count, 2.0 * count], "schema": 0},
        {"count_int": 3 * count, "positive_deltas": [count, count], "schema": -53, "custom_values": [0.5, 1.0]},
    ]
    return {"positive_spans": [{"offset": 0, "length": 2}], "sum": 0.1 * count, "timestamp": at, **kinds[count % 3]}


def request(chance: random.Random, number: int, replica: bytes) -> bytes:
    """Fresh, late, repeated and contradicting samples, and histograms, in an order that is nobody's."""
    now = now_ms() // 1000 * 1000
    message = WriteRequest()
    for index in chance.sample(range(30), 20):
        labels = [{"name": b"__name__", "value": b"m%d" % (index % 4)}, {"name": b"n", "value": b"%d" % index}]
        labels += [{"name": b"odd", "value": b"yes"}] if index % 2 else []
        labels += [{"name": b"cluster", "value": b"c%d" % (index % 3)}, {"name": b"__replica__", "value": replica}]
        if index % 5 == 4:
            message.timeseries.add(
                labels=labels, histograms=[histogram(now - back, number + 1) for back in (0, 5 * HOUR)]
            )
            continue
        times = [now - chance.choice((0, 0, 1, 2, 7, 50)) * HOUR - chance.randrange(5) * 1000 for _ in range(6)]
        message.timeseries.add(
            labels=labels, samples=[{"timestamp": at, "value": chance.choice((1.0, -0.0, number / 7))} for at in times]
        )
    message.metadata.add(type=1, metric_family_name=b"m1", help=b"Help.")
    return snappy(message.SerializeToString())


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a log over several segments, of which nothing is built."""
    chance = random.Random(20_262)
    settings: dict[str, Any] = {"segment": {"interval": "1h"}, "self_metrics": {"enabled": False}}
    with ForebayServer(tmp_path_factory.mktemp("log"), PARTITIONS | settings) as server:
        server.ready()
        clients = [Client(server.url, tenant) for tenant in TENANTS]
        for number in range(36):
            for replica in (b"a", b"b") if number < 20 else (b"b",):  # one of the pair dies
                assert clients[number % 3].post("/api/v1/write", request(chance, number, replica)).status == 204
            time.sleep(0.08)
        assert server.stop() == 0
    return server.data


def copied(log: Path, data: Path) -> None:
    shutil.copytree(log / "log", data / "log", ignore=shutil.ignore_patterns("commits", "groups", "*.lock"))


def by_a_process(log: Path, directory: Path, *, threads: int, hash_seed: int) -> Path:
    directory.mkdir()
    role = Role("consumer", directory, PARTITIONS | {"consumer": {"build_threads": threads}})
    role._environment = {**role._environment, "PYTHONHASHSEED": str(hash_seed)}
    copied(log, role.data)
    with role:
        role.ready()
        deadline = time.monotonic() + 60
        while any(row["manifest_end"] != row["end_offset"] for row in role.status()["partitions"]):
            assert time.monotonic() < deadline, role.tail()
            time.sleep(0.1)
        assert role.stop() == 0
    return role.data / "bucket"


def on_another_day(log: Path, directory: Path, *, threads: int, days: int) -> Path:
    directory.mkdir()
    role = Role("consumer", directory, PARTITIONS | {"consumer": {"build_threads": threads}})
    copied(log, role.data)
    subprocess.run(
        [sys.executable, "-m", "tests.faults.other_day", role.settings_file, role.data, str(days)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(threads)},
        check=True,
        timeout=60,
    )
    return role.data / "bucket"


def objects(bucket: Path) -> dict[str, bytes]:
    """That a segment ended idle rather than at its mark depends on when it was built; its end does not."""
    return {
        str(path.relative_to(bucket)): _ENDED.sub(b"", path.read_bytes())
        for path in bucket.rglob("*")
        if path.is_file() and ".staging" not in path.parts
    }


@pytest.mark.slow
def test_threads_hash_seeds_and_days_change_no_name_and_no_byte(log: Path, tmp_path: Path) -> None:
    first = by_a_process(log, tmp_path / "first", threads=1, hash_seed=1)
    built = objects(first)
    assert objects(by_a_process(log, tmp_path / "threads", threads=4, hash_seed=4242)) == built
    assert objects(on_another_day(log, tmp_path / "later", threads=1, days=3)) == built
    assert objects(on_another_day(log, tmp_path / "later-threads", threads=4, days=30)) == built
    # and it was worth comparing
    blocks, manifests = list(first.glob("*/meta.json")), list(first.glob("forebay/segments/*/*/*.json"))
    stored: Samples = load(first)
    assert len(manifests) >= 6
    assert len(blocks) > 40
    assert any(isinstance(sample, tuple) for samples in stored.values() for sample in samples)
    ledgers = b"".join(path.read_bytes() for path in manifests)
    assert b'"duplicate_timestamp"' in ledgers
    assert re.search(rb'"duplicate": ?[1-9]', ledgers)
    assert re.search(rb'"deduplicated": ?[1-9]', ledgers)
    assert re.search(rb'"before": ?\[\s*\{', ledgers)
    assert {b"a", b"b"} <= set(re.findall(rb'"replica": ?"(.)"', ledgers))
