"""What each change of the number of consumers cost: how long partitions stood still, and how far reading fell back."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.elastic.holdings import Holding


@dataclass(frozen=True)
class Change:
    """One step of the plan."""

    at: float
    """When processes were started, or signals sent."""
    before: int
    after: int

    def __str__(self) -> str:
        return f"restart of 1 of {self.after}" if self.before == self.after else f"{self.before} → {self.after}"


@dataclass(frozen=True)
class Move:
    """A partition that went from one member to another."""

    partition: int
    stopped: float
    """When it was last read."""
    assigned: float
    caught_up: float

    @property
    def unread(self) -> float:
        """Seconds until another member had it, and knew where to go on."""
        return self.assigned - self.stopped

    @property
    def rebuilding(self) -> float:
        """Seconds from there until the open segment was as it had been."""
        return self.caught_up - self.assigned

    @property
    def pause(self) -> float:
        """Seconds from the last record that the old holder took to the first that only the new one did."""
        return self.caught_up - self.stopped


@dataclass(frozen=True)
class Summary:
    """Seconds over the partitions that moved; None where none did."""

    moved: int
    median: float
    most: float
    median_unread: float
    median_rebuilding: float
    settled: float
    """From the change until the last of them was consumed again."""


def moves(holdings: Sequence[Holding], begin: float, end: float) -> list[Move]:
    """Those whose new holder was assigned in [begin, end) and caught up; a first assignment is none."""
    found = []
    for number, holding in enumerate(holdings):
        if not begin <= holding.assigned < end or holding.caught_up is None:
            continue
        stopped = [
            old.left
            for old in holdings[:number]
            if old.partition == holding.partition and old.caught_up is not None and old.left is not None
        ]
        if stopped:
            found.append(Move(holding.partition, max(stopped), holding.assigned, holding.caught_up))
    return found


def summarize(change: Change, found: Sequence[Move]) -> Summary | None:
    if not found:
        return None
    return Summary(
        moved=len({move.partition for move in found}),
        median=statistics.median(move.pause for move in found),
        most=max(move.pause for move in found),
        median_unread=statistics.median(move.unread for move in found),
        median_rebuilding=statistics.median(move.rebuilding for move in found),
        settled=max(move.caught_up for move in found) - change.at,
    )


def readers(holdings: Sequence[Holding], at: float) -> dict[int, str]:
    """By partition, the member that holds it at that time and has caught up; no entry where there is none."""
    return {
        holding.partition: holding.member
        for holding in holdings
        if holding.caught_up is not None and holding.caught_up <= at and (holding.left is None or at < holding.left)
    }
