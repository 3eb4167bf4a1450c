"""A log with spoilt bytes: sound records become blocks and lost ones are named, or the start says what to do."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from broker.embedded_reader import EmbeddedReader
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import Samples, load
from tests.faults.client import Client, bits_of, until
from tests.faults.pages import Pages
from tests.wire.messages import WriteRequest

SLOW: dict[str, Any] = {
    "segment": {"interval": "1h"},
    "broker": {"embedded": {"partitions": 2}},
    "self_metrics": {"enabled": False},
}
QUICK = SLOW | {"segment": {"interval": "1s", "grace": "100ms"}}


@dataclass(frozen=True)
class Written:
    """A data directory whose log holds much and whose bucket holds nothing, and what each record promised."""

    data: Path
    records: dict[tuple[int, int], Samples]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    directory = tmp_path_factory.mktemp("written")
    with ForebayServer(directory, SLOW) as server:
        server.ready()
        client = Client(server.url, "one")
        assert {client.send(padding=150).status for _ in range(120)} == {204}
        assert server.stop() == 0
    reader = EmbeddedReader(server.data / "log")
    records = {
        (partition, record.offset): samples_of(record.value)
        for partition in range(2)
        for record in reader.read(partition, 0, 1 << 30)
    }
    reader.close()
    everything: Samples = {}
    for samples in records.values():
        everything |= samples
    assert everything == client.promised
    return Written(server.data, records)


def samples_of(value: bytes) -> Samples:
    return {
        (tuple((label.name, label.value) for label in series.labels), sample.timestamp): [bits_of(sample.value)]
        for series in WriteRequest.FromString(value).timeseries
        for sample in series.samples
    }


def spoil_value(pages: Pages) -> None:
    leaf = pages.children()[5]
    pages.spoil(pages.cells(leaf)[1] + 1000, random.Random(5).randbytes(64))


def spoil_leaf(pages: Pages) -> None:
    pages.spoil(pages.start(pages.children()[7]), b"\x99" * 8)


def spoil_many_leaves(pages: Pages) -> None:
    for leaf in pages.children()[3:9]:
        pages.spoil(pages.start(leaf) + 8, random.Random(leaf).randbytes(3000))


def spoil_pointer(pages: Pages) -> None:
    pages.spoil(pages.cells(pages.root)[4], (1 << 24).to_bytes(4, "big"))


def spoil_root(pages: Pages) -> None:
    pages.spoil(pages.start(pages.root), b"\x99" * 100)


def spoil_head(pages: Pages) -> None:
    pages.spoil(0, b"not a database any more")


def start(written: Written, directory: Path, spoil: Callable[[Pages], None]) -> ForebayServer:
    server = ForebayServer(directory, QUICK)
    shutil.copytree(written.data, server.data)
    spoil(Pages(server.data / "log" / "log.db", "records_0"))
    return server


@pytest.mark.parametrize(
    ("spoil", "most"), [(spoil_value, 1), (spoil_leaf, 6), (spoil_many_leaves, 36), (spoil_pointer, 6)]
)
def test_damage_costs_the_records_it_hit_and_names_them(
    written: Written, tmp_path: Path, spoil: Callable[[Pages], None], most: int
) -> None:
    with start(written, tmp_path, spoil) as server:
        server.ready()
        client = Client(server.url, "after")
        assert client.send().status == 204
        server.wait_published(30)
        code, report = audit(server.settings_file, server.data, "--deep", "--json")
        assert server.stop() == 0
    manifests = [
        msgspec.json.decode(path.read_bytes()) for path in (server.bucket / "forebay/segments").rglob("*.json")
    ]
    lost = {(manifest["partition"], bad["offset"]) for manifest in manifests for bad in manifest["quarantined"]}
    assert 0 < len(lost) <= most
    assert {partition for partition, _ in lost} == {0}
    expected = dict(client.promised)
    for place, samples in written.records.items():
        expected |= {} if place in lost else samples
    assert load(server.bucket) == expected
    assert code == 0, report
    assert f'"quarantined": {len(lost)}' in report


@pytest.mark.parametrize("spoil", [spoil_root, spoil_head])
def test_damage_beyond_repair_ends_the_start_with_the_way_out(
    written: Written, tmp_path: Path, spoil: Callable[[Pages], None]
) -> None:
    with start(written, tmp_path, spoil) as server:
        assert server.popen is not None
        assert server.popen.wait(30) == 3
        told = server.tail(1)
    assert str(server.data / "log") in told
    assert "move" in told
    assert "start again with a new log" in told
    # and that way out works
    (server.data / "log").rename(tmp_path / "damaged")
    with server:
        server.ready()
        client = Client(server.url, "after")
        assert client.send().status == 204
        until(lambda: client.read() == client.promised, "a read")
        server.wait_published(30)
        assert server.stop() == 0
    assert load(server.bucket) == client.promised
