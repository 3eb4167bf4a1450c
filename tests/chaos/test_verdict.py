"""The checks of a storm's verdict can fail, and the topic is read bit by bit."""

import struct
from pathlib import Path

import cramjam
import pytest

from tests.bucket.manifests import make_chain, make_manifest
from tests.chaos import verdict
from tests.chaos.verdict import check_chains, compare_with_log, samples_of
from tests.crash.senders import labels_of, request_body
from tests.e2e.samples import Samples

KEY = (labels_of(1, 2), 1000)
OTHER = (labels_of(1, 3), 1000)


def test_a_whole_chain_passes() -> None:
    assert check_chains(make_chain(3), {0: 30}) == []


def test_overlap_hole_gap_and_missing_end_are_told() -> None:
    first, second, third = make_chain(3)
    assert "goes on at 5 after 10" in check_chains([first, make_manifest(5, 30)], {0: 30})[0]
    assert "goes on at 20 after 10" in check_chains([first, third], {0: 30})[0]
    assert "lost (10, 12)" in check_chains([first, make_manifest(10, 20, gap=(10, 12)), third], {0: 30})[0]
    assert check_chains([first, second], {0: 30}) == ["chain of partition 0 ends at 20, the log at 30"]
    assert check_chains([], {0: 0, 1: 7}) == ["chain of partition 1 ends at 0, the log at 7"]


@pytest.mark.parametrize("bits", [0, 1 << 63, 0x7FF0000000000002, 0xFFF8_0000_DEAD_BEEF, 0x3FF0000000000000])
def test_a_sample_keeps_its_bits(bits: int) -> None:
    body = bytes(cramjam.snappy.decompress_raw(request_body(1, [(2, 1000, bits)])))
    assert struct.pack("<Q", bits) in body
    assert list(samples_of(body)) == [(KEY, bits)]


@pytest.mark.parametrize(
    ("stored", "told", "compacted"),
    [
        ({KEY: [1, 1], OTHER: [2]}, "", False),
        ({KEY: [1], OTHER: [2]}, "stored otherwise", False),
        ({KEY: [1], OTHER: [2]}, "", True),
        ({KEY: [1, 1, 1], OTHER: [2]}, "stored otherwise", False),
        ({KEY: [1, 1], OTHER: [3]}, "stored otherwise", False),
        ({KEY: [1, 1], OTHER: [3]}, "stored otherwise", True),
        ({KEY: [1, 1]}, "lacks 1", True),
        ({KEY: [1, 1], OTHER: [2], (labels_of(9, 9), 1): [4]}, "made up 1", True),
    ],
)
def test_blocks_are_held_to_the_log(
    monkeypatch: pytest.MonkeyPatch, stored: Samples, told: str, *, compacted: bool
) -> None:
    """KEY was sent twice, and the two records lie in two segments."""
    monkeypatch.setattr(verdict, "load", lambda _: stored)
    problems = compare_with_log(Path(), {KEY: [1, 1], OTHER: [2]}, compacted=compacted)
    assert [told in problem for problem in problems] == ([True] if told else [])
