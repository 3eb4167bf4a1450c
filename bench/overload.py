"""A gateway under three times what it can do: `python -m bench.overload`.

Capacity first, at rates that rise until the gateway cannot keep up. Then requests come by chance, at half of that, at
three times of it, and at half again; nobody waits for an answer before the next is sent. In the end every request that
was acknowledged must be in the log. Sender, gateway, Kafka and whoever reads the topic share one machine, so ratios are
what counts.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import uvloop

from bench.arrivals import Outcome, Sender
from bench.connection import Answered
from bench.gateway_on_kafka import Setting, gateway_on_kafka
from bench.load import Load
from bench.marked import Marked
from bench.process import MIB
from bench.stages import STAGES, Look, look, percentile
from forebay.chart import Line, Mark, Panel, render

_CLOSED_CONNECTIONS = 8
_STEP = 1.25
_KEPT_UP = 0.9
_CALM_SECONDS = 2.0
CONNECTIONS = 512
FACTOR = 3.0
_SETTLED = 1.5
"""Of the p99 at half load: then a gateway has recovered."""


@dataclass(frozen=True)
class Result:
    capacity: float
    """Requests per second."""
    half: Outcome
    over: Outcome
    after: Outcome
    memory: Sequence[tuple[float, float]]
    lost: int
    """Acknowledged, and not in the log."""
    looks: Sequence[Look]
    """Before the first phase, and after each."""

    def recovered(self) -> float:
        """Seconds from the end of the overload until a whole second went well: no refusal, p99 as before."""
        bound = _SETTLED * self.half.percentile(0.99)
        start = min(each.sent for each in self.after.answers)
        for second in range(int(self.after.seconds)):
            span = [each for each in self.after.answers if second <= each.sent - start < second + 1]
            if span and all(each.status == 204 for each in span) and _p99(span) <= bound:
                return float(second)
        return float("inf")

    def memory_during(self, outcome: Outcome) -> list[float]:
        """Resident bytes, from a fifth of the phase on."""
        begin = min(each.sent for each in outcome.answers)
        span = begin + outcome.seconds / 5, begin + outcome.seconds
        return [size for at, size in self.memory if span[0] <= at <= span[1]]

    def refused(self) -> float:
        """The share of 503."""
        return self.over.statuses()[503] / len(self.over.answers)


def _p99(answers: Sequence[Answered]) -> float:
    return Outcome(0, list(answers)).percentile(0.99)


async def measure(directory: Path, load: Load, *, settle: float, minutes: float) -> Result:
    """`settle` seconds of each phase but the overload."""
    async with gateway_on_kafka(directory, {}) as setting:
        sender = Sender(setting.port, "bench", Marked(load), CONNECTIONS)
        await sender.connect()
        capacity = await capacity_of(sender, settle / 3)
        say(f"capacity: {capacity:.0f} requests/s of {load.samples_per_request} samples")
        looks = [await asyncio.to_thread(look, setting.port)]
        half = await sender.at_rate(capacity / 2, settle, 1)
        looks.append(await asyncio.to_thread(look, setting.port))
        say(f"half load: {line(half)}")
        over = await sender.at_rate(FACTOR * capacity, minutes * 60, 2)
        looks.append(await asyncio.to_thread(look, setting.port))
        say(f"overload: {line(over)}")
        after = await sender.at_rate(capacity / 2, settle, 3)
        looks.append(await asyncio.to_thread(look, setting.port))
        say(f"after: {line(after)}")
        sender.close()
        memory = list(setting.memory)
        lost = len(sender.acknowledged - set(await stopped(setting)))
    return Result(capacity, half, over, after, memory, lost, looks)


async def capacity_of(sender: Sender, seconds: float) -> float:
    """Requests per second: the most that were acknowledged, at rates that rise until they are too much."""
    await sender.closed(seconds, _CLOSED_CONNECTIONS)
    best = (await sender.closed(seconds, _CLOSED_CONNECTIONS)).acknowledged() / seconds
    while True:
        rate = _STEP * best
        done = (await sender.at_rate(rate, seconds, 0)).acknowledged() / seconds
        best = max(best, done)
        if done < _KEPT_UP * rate:
            await asyncio.sleep(_CALM_SECONDS)
            return best


async def stopped(setting: Setting) -> Sequence[int]:
    """The numbers in the log, after the gateway has ended."""
    setting.process.check_runs()
    return await asyncio.to_thread(setting.audit.found)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def line(outcome: Outcome) -> str:
    p50, p99 = (1000 * outcome.percentile(share) for share in (0.5, 0.99))
    rate = len(outcome.answers) / outcome.seconds
    return f"{rate:.0f} requests/s, {dict(outcome.statuses())}, unsent {outcome.unsent}, p50 {p50:.1f} p99 {p99:.1f} ms"


def phases(result: Result) -> list[tuple[str, Outcome]]:
    return [("half load", result.half), (f"{FACTOR:g}x", result.over), ("half again", result.after)]


def stages(result: Result) -> str:
    """What acknowledged requests waited for, by phase."""
    rows = [
        "| p50 and p99, ms, of waiting for |" + "".join(f" {name} |" for name, _ in phases(result)),
        "|---|---|---|---|",
    ]
    spans = list(pairwise(result.looks))
    for stage in STAGES:
        found = [[1000 * percentile(*span, stage, share) for share in (0.5, 0.99)] for span in spans]
        rows.append(f"| {stage} |" + "".join(f" {p50:.1f} and {p99:.1f} |" for p50, p99 in found))
    found = [[1000 * outcome.percentile(share) for share in (0.5, 0.99)] for _, outcome in phases(result)]
    rows.append("| all, as the sender sees it |" + "".join(f" {p50:.1f} and {p99:.1f} |" for p50, p99 in found))
    return "\n".join(rows)


def table(result: Result) -> str:
    rows = ["| phase | requests/s | acknowledged/s | 503 | p50, ms | p99, ms | p99 to half load | memory, MiB |"]
    rows.append("|---|---|---|---|---|---|---|---|")
    for name, outcome in phases(result):
        memory = result.memory_during(outcome) or [0.0]
        figures = (
            f"{len(outcome.answers) / outcome.seconds:,.0f}",
            f"{outcome.acknowledged() / outcome.seconds:,.0f}",
            f"{outcome.statuses()[503] / len(outcome.answers):.1%}",
            f"{1000 * outcome.percentile(0.5):.1f}",
            f"{1000 * outcome.percentile(0.99):.1f}",
            f"{outcome.percentile(0.99) / result.half.percentile(0.99):.2f}",
            f"{min(memory) / MIB:,.0f} to {max(memory) / MIB:,.0f}",
        )
        rows.append(f"| {name} | {' | '.join(figures)} |")
    rows.append("")
    rows.append(f"capacity {result.capacity:,.0f} requests/s; recovered after {result.recovered():g} s; ")
    rows[-1] += f"acknowledged and not in the log: {result.lost}"
    return "\n".join(rows)


def chart(result: Result) -> str:
    everything = sorted((each for _, outcome in phases(result) for each in outcome.answers), key=lambda each: each.sent)
    begin, end = everything[0].sent, everything[-1].sent
    seconds = [[] for _ in range(int(end - begin) + 1)]  # type: list[list[Answered]]
    for each in everything:
        seconds[int(each.sent - begin)].append(each)

    def rate(status: int) -> list[tuple[float, float]]:
        return [(float(at), float(sum(e.status == status for e in span))) for at, span in enumerate(seconds)]

    tail = [(float(at), 1000 * _p99(span)) for at, span in enumerate(seconds) if any(e.status == 204 for e in span)]
    memory = [(at - begin, size / MIB) for at, size in result.memory if begin <= at <= end]
    panels = [
        Panel("requests per second:", [Line(rate(204), "#2ca02c", "acknowledged"), Line(rate(503), "#d62728", "503")]),
        Panel("p99 of the acknowledged, ms", [Line(tail, "#1f77b4")]),
        Panel("resident memory of the gateway, MiB", [Line(memory, "#9467bd")]),
    ]
    marks = [Mark(min(e.sent for e in outcome.answers) - begin, name) for name, outcome in phases(result)]
    return render(f"{FACTOR:g} times what one gateway process can do", panels, marks, end - begin)


def problems(result: Result) -> list[str]:
    """Promises that were broken, whatever the machine."""
    found = [f"{result.lost} acknowledged requests are not in the log"] if result.lost else []
    for outcome in (result.half, result.over, result.after):
        if strange := set(outcome.statuses()) - {204, 503}:
            found.append(f"answers of status {sorted(strange)}")
        found += [] if outcome.acknowledged() else ["nothing was acknowledged in a phase"]
    grown = [size for _, size in result.memory]
    if max(grown) > 1 << 30:
        found.append(f"gateway held {max(grown) / MIB:.0f} MiB")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.overload", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="of overload")
    parser.add_argument("--settle", type=float, default=30, help="seconds of every other phase")
    parser.add_argument("--samples", type=int, default=2000, help="a request; 2000 is what Prometheus sends")
    parser.add_argument("--chart", type=Path, help="where to draw rates, latency and memory (SVG)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        load = Load(20_000, 1, options.samples)
        result = uvloop.run(measure(Path(scratch), load, settle=options.settle, minutes=options.minutes))
    print(table(result))
    print(f"\n{stages(result)}")
    if options.chart:
        options.chart.write_text(chart(result))
    broken = problems(result)
    for each in broken:
        say(f"broken: {each}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
