"""The check of the end can fail, in every way that it should."""

from array import array
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elastic.senders import Load, Sender, labels_of
from tests.elastic.verdict import Stored, expected, load, problems
from tests.tsdb.block_oracle import write_block
from tsdb.chunk import SeriesChunks
from tsdb.chunks import encode_floats


@pytest.fixture
def sender() -> Sender:
    """Four series in two requests a scrape; the second request of the second scrape was not taken."""
    sender = Sender(1, 0, Load(series=4, interval=5.0, samples_per_request=2))
    sender.taken = [[0, 1, 2], [0, 2]]
    return sender


def rows(sender: Sender, index: int) -> list[tuple[int, int]]:
    return expected(sender, 0 if index < 2 else 1, index)


def whole(sender: Sender) -> Stored:
    stored = Stored()
    for index in range(4):
        times, bits = zip(*rows(sender, index), strict=True)
        stored.add((1, index), array("q", times), array("Q", bits))
    return stored


def test_blocks_that_hold_exactly_what_was_acknowledged_have_no_problem(sender: Sender, tmp_path: Path) -> None:
    for name, part in (("first", slice(0, 2)), ("second", slice(2, None))):
        series = []
        for index in range(4):
            times, bits = zip(*rows(sender, index)[part], strict=True) if rows(sender, index)[part] else ((), ())
            chunks = encode_floats(array("q", times), array("Q", bits))
            labels = tuple(sorted(labels_of(1, index).items()))
            series += [SeriesChunks(labels, chunks)] if chunks else []
        write_block(tmp_path / name, sorted(series))
    stored = load(tmp_path)
    assert (stored.blocks, stored.samples) == (2, 10)
    assert problems(stored, [sender]) == []


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda s, at: s.taken[0].append(3), "lost=["),
        (lambda s, at: at.add((1, 0), array("q", [rows(s, 0)[0][0]]), array("Q", [rows(s, 0)[0][1]])), "stored=4"),
        (lambda s, at: at.add((1, 2), array("q", [s.time_ms(1)]), array("Q", [7])), "never sent=[("),
        (lambda s, at: at.add((1, 9), array("q", [5]), array("Q", [7])), "series that nobody sent"),
        (lambda s, at: setattr(s, "unknown", 1), "gave 1 requests up"),
    ],
    ids=["lost", "twice", "never acknowledged", "unknown series", "unknown outcome"],
)
def test_what_is_not_as_it_was_sent_is_named(
    sender: Sender, spoil: Callable[[Sender, Stored], object], says: str
) -> None:
    stored = whole(sender)
    assert problems(stored, [sender]) == []
    spoil(sender, stored)
    (problem,) = problems(stored, [sender])
    assert says in problem
