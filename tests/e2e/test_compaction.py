"""A closed window in a running all-in-one: merged into one block, read as before, audited, sources removed."""

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.senders import labels_of, request_body
from tests.e2e.forebay import ForebayServer, audit
from tests.e2e.samples import blocks_in, load

WINDOW_MS = 7_200_000
SETTINGS = {
    "segment": {"interval": "2s", "grace": "200ms"},
    "compactor": {"interval": "1s", "close_delay": "0s", "delete_delay": "3s"},
    "self_metrics": {"enabled": False},
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForebayServer]:
    with ForebayServer(tmp_path, SETTINGS) as running:
        running.ready()
        yield running


def write(server: ForebayServer, samples: list[tuple[int, int, int]]) -> None:
    request = urllib.request.Request(
        f"{server.url}/api/v1/write",
        request_body(1, samples),
        {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 204


def wait_for_blocks(server: ForebayServer, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(blocks_in(server.bucket)) != count:
        assert time.monotonic() < deadline, server.tail()
        time.sleep(0.3)


def test_a_closed_window_becomes_one_block_and_late_data_joins_it(server: ForebayServer) -> None:
    start = (int(time.time() * 1000) // WINDOW_MS - 1) * WINDOW_MS
    sent: dict[tuple[object, int], list[int]] = {}
    for round_ in range(4):
        samples = [(series, start + round_ * 60_000, round_ << 32 | series) for series in range(40)]
        write(server, samples)
        sent |= {(labels_of(1, series), at): [bits] for series, at, bits in samples}
        time.sleep(1.2)
    server.wait_published()
    wait_for_blocks(server, 1)
    assert load(server.bucket) == sent

    late = [(series, start + 90_000, 7) for series in range(40)]
    write(server, late)
    sent |= {(labels_of(1, series), at): [bits] for series, at, bits in late}
    server.wait_published()
    wait_for_blocks(server, 1)
    assert load(server.bucket) == sent

    code, report = audit(server.settings_file, server.data, "--deep")
    assert code == 0, report
