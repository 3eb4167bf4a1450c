import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.elastic.changes import Change, Move, moves, readers, summarize
from tests.elastic.holdings import Holding, Life, holdings

START = 1_700_000_000.0


class Log:
    """A consumer's log, line by line; times are seconds since START."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text("not json\n")

    def line(self, at: float, msg: str, **fields: Any) -> "Log":
        ts = datetime.fromtimestamp(START + at, UTC).isoformat()
        with self.path.open("a") as file:
            file.write(json.dumps({"ts": ts, "msg": msg, **fields}) + "\n")
        return self

    def takes(self, at: float, partition: int, caught_up: float) -> "Log":
        self.line(at, "partition assigned", partition=partition)
        return self.line(caught_up, "partition caught up", partition=partition)


def since_start(found: list[Holding]) -> list[tuple[object, ...]]:
    def seconds(at: float | None) -> float | None:
        return None if at is None else round(at - START, 3)

    return [
        (held.partition, held.member, seconds(held.assigned), seconds(held.caught_up), seconds(held.left))
        for held in found
    ]


def two_members(tmp_path: Path) -> list[Holding]:
    """b takes partition 1 over by a rebalance at 10; at 20 b is killed, and a has it back at 26."""
    a = Log(tmp_path / "a").takes(0, 0, 0.5).takes(0, 1, 0.5).line(10, "partitions revoked", partitions="[1]")
    b = Log(tmp_path / "b").takes(10.3, 1, 10.8)
    a.takes(26, 1, 26.5)
    return holdings([Life("a", a.path), Life("b", b.path, START + 20)])


def test_who_held_what_is_read_from_the_logs(tmp_path: Path) -> None:
    assert since_start(two_members(tmp_path)) == [
        (0, "a", 0, 0.5, None),
        (1, "a", 0, 0.5, 10),
        (1, "b", 10.3, 10.8, 20),
        (1, "a", 26, 26.5, None),
    ]


def test_a_member_told_to_end_reads_nothing_more_even_where_it_gives_back_late(tmp_path: Path) -> None:
    a = Log(tmp_path / "a").takes(0, 0, 0.5).line(8, "partitions revoked", partitions="[0]")
    assert since_start(holdings([Life("a", a.path, START + 5)])) == [(0, "a", 0, 0.5, 5)]


def test_a_pause_lasts_from_the_last_record_of_the_old_holder_to_the_rebuilt_segment(tmp_path: Path) -> None:
    held = two_members(tmp_path)
    assert moves(held, START - 1, START + 5) == []  # the first assignment moves nothing
    (grown,) = moves(held, START + 5, START + 15)
    (killed,) = moves(held, START + 15, START + 30)
    assert (grown.pause, grown.unread, grown.rebuilding) == pytest.approx((0.8, 0.3, 0.5))
    assert (killed.pause, killed.unread, killed.rebuilding) == pytest.approx((6.5, 6.0, 0.5))


def test_a_holder_that_never_caught_up_does_not_end_a_pause(tmp_path: Path) -> None:
    a = Log(tmp_path / "a").takes(0, 0, 0.5).line(10, "partitions revoked", partitions="[0]")
    b = Log(tmp_path / "b").line(11, "partition assigned", partition=0).line(12, "partitions lost", partitions="[0]")
    a.takes(13, 0, 14)
    (move,) = moves(holdings([Life("a", a.path), Life("b", b.path)]), START + 5, START + 20)
    assert move == Move(0, START + 10, START + 13, START + 14)


def test_who_reads_a_partition_has_caught_up_and_still_holds_it(tmp_path: Path) -> None:
    held = two_members(tmp_path)
    assert readers(held, START + 0.2) == {}
    assert readers(held, START + 5) == {0: "a", 1: "a"}
    assert readers(held, START + 10.5) == {0: "a"}
    assert readers(held, START + 11) == {0: "a", 1: "b"}
    assert readers(held, START + 21) == {0: "a"}
    assert readers(held, START + 30) == {0: "a", 1: "a"}


def test_a_summary_counts_from_the_change() -> None:
    change = Change(START, 2, 1)
    summary = summarize(change, [Move(n, START + 1, START + 2, START + 2 + n) for n in (1, 2, 6)])
    assert summary is not None
    assert (summary.moved, summary.median, summary.most, summary.settled) == (3, 3, 7, 8)
    assert (summary.median_unread, summary.median_rebuilding) == (1, 2)
    assert summarize(change, []) is None
    assert (str(change), str(Change(START, 3, 3))) == ("2 → 1", "restart of 1 of 3")
