"""Who held which partition when, by the consumers' own log lines."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple


@dataclass
class Holding:
    """One member's hold of one partition; times are seconds since the epoch."""

    partition: int
    member: str
    assigned: float
    """The end of its chain of manifests is known, and it is read."""
    caught_up: float | None = None
    """Its open segment was rebuilt, and reading is where the log ended when it was assigned."""
    left: float | None = None
    """It was read no more: given back, or its holder was told to end, or killed."""

    @property
    def consumed(self) -> bool:
        return self.caught_up is not None


class Life(NamedTuple):
    """A member and what is known of it from outside."""

    name: str
    log: Path
    ended: float | None = None
    """When it was sent the signal that ended it."""


def lines(log: Path) -> Iterator[tuple[float, dict[str, Any]]]:
    """Each line of a JSON log with its time; what is no such line, or not written to its end, is left out."""
    for line in log.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "ts" in entry:
            yield datetime.fromisoformat(entry["ts"]).timestamp(), entry


def holdings(lives: Sequence[Life]) -> list[Holding]:
    """Ascending by the time of assignment."""
    found: list[Holding] = []
    for life in lives:
        found += _of(life)
    return sorted(found, key=lambda holding: (holding.assigned, holding.partition))


def _of(life: Life) -> list[Holding]:
    done: list[Holding] = []
    held: dict[int, Holding] = {}
    for at, entry in lines(life.log):
        match entry.get("msg"):
            case "partition assigned":
                held[entry["partition"]] = Holding(entry["partition"], life.name, at)
            case "partition caught up" if entry["partition"] in held:
                held[entry["partition"]].caught_up = at
            case "partitions revoked" | "partitions lost":
                for partition in json.loads(entry["partitions"]):
                    if (holding := held.pop(partition, None)) is not None:
                        holding.left = at if life.ended is None else min(at, life.ended)
                        done.append(holding)
    for holding in held.values():
        holding.left = life.ended
    return [*done, *held.values()]
