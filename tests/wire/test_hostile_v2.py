"""As test_hostile.py, over remote-write 2.0."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.errors import InvalidData
from tests.wire import write_request_oracle
from tests.wire import write_request_v2_oracle as oracle
from tests.wire.hostile_bodies_v2 import BODIES
from tests.wire.messages import MetricMetadata, WriteRequest
from tests.wire.messages_v2 import Request
from tests.wire.requests_v2 import request_v2
from tests.wire.test_hostile import MAX, MIN, SEED
from tests.wire.test_hostile import small_body as small_body_v1
from wire.write_request import Router

ROOT = Path(__file__).parent.parent.parent
REPEATED = 32 << 20
EXPECTED: dict[str, dict[str, Any]] = {
    "one_series_of_many_references": {"too_many_labels": 1},
    "many_series_of_references_to_nothing": {"invalid_symbols": 838860},
}
TOO_LARGE = {
    "many_series_of_a_huge_symbol",
    "many_refused_series_of_huge_names",
    "one_series_of_exemplars_of_a_huge_symbol",
    "metadata_that_repeats_a_huge_symbol",
}


@pytest.mark.parametrize("name", BODIES)
def test_memory_and_time_are_bounded_by_the_body_and_by_what_may_be_repeated(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.wire.hostile_bodies_v2", name],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    figures = json.loads(done.stdout)
    assert figures["grown"] <= 6 * figures["body"] + 2 * REPEATED
    assert figures["seconds"] < 5
    assert figures.get("rejected", {}) == EXPECTED.get(name, {})
    assert figures.get("too_large", False) == (name in TOO_LARGE)
    assert not figures.get("malformed", False)


def small_body() -> bytes:
    series = WriteRequest.FromString(small_body_v1()).timeseries
    body: bytes = request_v2(*series, metadata=MetricMetadata(type=1, help=b"Up.")).SerializeToString()
    return body


def decodes(body: bytes) -> bool:
    """As a request with a symbol table that has a beginning, or as one that needs none."""
    try:
        request = Request.FromString(body)
    except Exception:  # noqa: BLE001 - the runtime has no public class for it
        return False
    return request.symbols[0] == b"" if request.symbols else not request.timeseries


def accepted(bodies: Iterator[bytes]) -> list[bytes]:
    found = []
    for body in bodies:
        try:
            routed = Router(4).route(body, SEED, MIN, MAX, message=2)
        except InvalidData:
            continue
        expected = oracle.route(body, SEED, MIN, MAX, partitions=4)
        read = write_request_oracle.read_records(routed.records, routed.replicas)
        assert (read.entries, read.metadata) == (expected.entries, expected.metadata)
        assert routed.rejected == dict(expected.rejected)
        found.append(body)
    return found


def test_a_body_cut_at_any_byte_is_malformed_unless_protobuf_takes_it() -> None:
    body = small_body()
    cuts = [body[:size] for size in range(len(body) + 1)]
    assert accepted(iter(cuts)) == [cut for cut in cuts if decodes(cut)]


def test_a_flipped_bit_is_malformed_or_read_as_protobuf_reads_it() -> None:
    body = bytearray(small_body())

    def flipped() -> Iterator[bytes]:
        for at in range(len(body)):
            for bit in range(8):
                body[at] ^= 1 << bit
                yield bytes(body)
                body[at] ^= 1 << bit

    assert len(accepted(flipped())) > len(body)
