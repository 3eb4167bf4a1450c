"""A tenant beside one that goes wild: `python -m bench.neighbour`.

One tenant sends steadily, a fifth of what the gateway can do. Another, whose `samples_per_second` allows it `--allowed`
of that, sends just so much, and then ten times as much; in turn, several rounds. What the first one's requests take
must hardly change. From 0.08 on, ten times as much is more than the gateway, its log and the sender have cores for on a
small machine: the ratio then tells of overload, too.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench.arrivals import Outcome, Sender
from bench.gateway_on_kafka import gateway_on_kafka
from bench.load import Load
from bench.marked import Marked
from bench.overload import capacity_of, line, say, stopped

STEADY, WILD = 0.2, 10.0
_AT_THE_LIMIT = 0.95
_CONNECTIONS = 256
_BOUND = 1.2


@dataclass(frozen=True)
class Round:
    """What became of both tenants' requests: (steady, other)."""

    calm: tuple[Outcome, Outcome]
    wild: tuple[Outcome, Outcome]

    def ratio(self, share: float) -> float:
        return self.wild[0].percentile(share) / self.calm[0].percentile(share)


@dataclass(frozen=True)
class Result:
    capacity: float
    """Requests per second."""
    allowed: float
    """Of them, the other tenant's."""
    rounds: Sequence[Round]
    lost: int

    def ratio(self, share: float) -> float:
        """Of the steady tenant's latencies: the median of all rounds."""
        return statistics.median(each.ratio(share) for each in self.rounds)


async def measure(directory: Path, load: Load, *, seconds: float, rounds: int, allowed_share: float) -> Result:
    overrides = directory / "overrides.yaml"
    overrides.write_text("{}")
    settings = {"overrides_file": str(overrides), "reload": {"interval": "200ms"}}
    async with gateway_on_kafka(directory, settings) as setting:
        requests = Marked(load)
        steady = Sender(setting.port, "steady", requests, _CONNECTIONS)
        other = Sender(setting.port, "other", requests, _CONNECTIONS)
        await asyncio.gather(steady.connect(), other.connect())
        capacity = await capacity_of(steady, seconds / 3)
        allowed = allowed_share * capacity
        rate = allowed * requests.samples_per_request
        limit = {"samples_per_second": rate, "samples_burst": int(rate)}
        overrides.write_text(json.dumps({"tenants": {"other": limit}}))
        say(f"capacity: {capacity:.0f} requests/s; allowed to the other tenant: {allowed:.0f}")
        await asyncio.sleep(2)

        async def both(factor: float, seed: int) -> tuple[Outcome, Outcome]:
            found = await asyncio.gather(
                steady.at_rate(STEADY * capacity, seconds, seed), other.at_rate(factor * allowed, seconds, seed + 1)
            )
            say(f"other at {factor:g}x: steady {line(found[0])}; other {line(found[1])}")
            return found

        await both(WILD, 0)  # what the bucket holds at first is used up
        done = [Round(await both(_AT_THE_LIMIT, 4 * n), await both(WILD, 4 * n + 2)) for n in range(1, rounds + 1)]
        steady.close()
        other.close()
        lost = len((steady.acknowledged | other.acknowledged) - set(await stopped(setting)))
    return Result(capacity, allowed, done, lost)


def table(result: Result) -> str:
    lines = [
        "| round | other tenant | its 429 | steady p50, ms | steady p99, ms | its 503 |",
        "|---|---|---|---|---|---|",
    ]
    for number, each in enumerate(result.rounds, 1):
        for name, (steady, other) in (("at its limit", each.calm), (f"at {WILD:g}x", each.wild)):
            figures = (
                f"{other.statuses()[429] / len(other.answers):.0%}",
                f"{1000 * steady.percentile(0.5):.1f}",
                f"{1000 * steady.percentile(0.99):.1f}",
                f"{steady.statuses()[503] / len(steady.answers):.2%}",
            )
            lines.append(f"| {number} | {name} | {' | '.join(figures)} |")
    lines.append("")
    lines.append(
        f"capacity {result.capacity:,.0f} requests/s; ratio, median of rounds: p50 {result.ratio(0.5):.2f}, "
        f"p99 {result.ratio(0.99):.2f} (at most {_BOUND}); acknowledged and not in the log: {result.lost}"
    )
    return "\n".join(lines)


def problems(result: Result) -> list[str]:
    """Promises that were broken, whatever the machine."""
    found = [f"{result.lost} acknowledged requests are not in the log"] if result.lost else []
    for each in result.rounds:
        if strange := (set(each.calm[0].statuses()) | set(each.wild[0].statuses())) - {204, 503}:
            found.append(f"the steady tenant's answers were of status {sorted(strange)}")
        allowed = 1.5 * result.allowed * (each.wild[1].seconds + 1)
        if each.wild[1].acknowledged() > allowed:
            found.append(f"the other tenant got {each.wild[1].acknowledged()} requests in, of {allowed:.0f}")
        # A slow machine alone may keep it from ever getting to its limit; one that got well beyond is told so.
        if len(each.wild[1].answers) > 2 * allowed and not each.wild[1].statuses()[429]:
            found.append("the other tenant was never told 429")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.neighbour", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30, help="of each phase")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--allowed", type=float, default=0.05, help="of the gateway's capacity, to the other tenant")
    parser.add_argument("--samples", type=int, default=2000, help="a request")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        load = Load(20_000, 1, options.samples)
        run = measure(
            Path(scratch), load, seconds=options.seconds, rounds=options.rounds, allowed_share=options.allowed
        )
        result = uvloop.run(run)
    print(table(result))
    broken = problems(result)
    for each in broken:
        say(f"broken: {each}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
