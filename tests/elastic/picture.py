"""The chart of a run."""

from itertools import pairwise

from tests.elastic.changes import moves
from tests.elastic.chart import COLORS, Line, Mark, Panel, Span, render
from tests.elastic.run import Result
from tests.elastic.sampler import Lag, lags

_FAINT = "#e3e3e3"
_PLAIN, _ALARM = "#1f77b4", "#d62728"


def moved(result: Result) -> list[tuple[float, set[int]]]:
    """Of each change, its time and the partitions that went to another member."""
    ends = [*(change.at for change in result.changes[1:]), result.end]
    return [
        (change.at, {move.partition for move in moves(result.holdings, change.at, end)})
        for change, end in zip(result.changes, ends, strict=True)
    ]


def lag_of(result: Result) -> list[Lag]:
    return lags(result.rows, moved(result))


def picture(result: Result) -> str:
    """As SVG."""
    rows = [row for row in result.rows if row.at <= result.end]
    start = rows[0].at
    members = sorted({holding.member for holding in result.holdings})
    color = {name: COLORS[number % len(COLORS)] for number, name in enumerate(members)}
    lag = [look for look in lag_of(result) if look.at <= result.end]
    counts = [(0.0, float(result.plan.consumers[0]))]
    counts += [(change.at - start, float(change.after)) for change in result.changes]
    counts.append((result.end - start, counts[-1][1]))
    rates = [
        (after.at - start, (after.acknowledged - before.acknowledged) / (after.at - before.at))
        for before, after in pairwise(rows[::4])
    ]
    spans = []
    for holding in result.holdings:
        left = min(holding.left or result.end, result.end) - start
        caught_up = (holding.caught_up or result.end) - start
        spans.append(Span(holding.partition, holding.assigned - start, min(caught_up, left), _FAINT))
        if caught_up < left:
            spans.append(Span(holding.partition, caught_up, left, color[holding.member]))
    cpu = []
    for name in members:
        looks = [(row.at - start, row.cpu[name]) for row in rows[::4] if name in row.cpu]
        points = [(to[0], (to[1] - before[1]) / (to[0] - before[0])) for before, to in pairwise(looks)]
        cpu.append(Line(points, color[name], name))
    memory = [
        Line([(row.at - start, row.memory[name] / 2**20) for row in rows if name in row.memory], color[name])
        for name in members
    ]
    panels = [
        Panel("consumers", [Line(counts, _PLAIN, stepped=True)], height=50),
        Panel(
            "who reads each partition (white: nobody; grey: rebuilding the open segment)",
            spans=spans,
            rows=result.plan.partitions,
            height=5 * result.plan.partitions,
        ),
        Panel("samples acknowledged per second", [Line(rates, _PLAIN)], height=60),
        Panel("failed requests, in all", [Line([(row.at - start, row.failures) for row in rows], _ALARM)], height=40),
        Panel("lag, records", [Line([(look.at - start, look.records) for look in lag], _PLAIN)]),
        Panel(
            "lag, seconds:",
            [
                Line([(look.at - start, look.seconds) for look in lag], _PLAIN, "the partition furthest behind"),
                Line([(look.at - start, look.stayed_seconds) for look in lag], _ALARM, "of those that did not move"),
            ],
        ),
        Panel("CPU, cores:", cpu, least=0.1),
        Panel("memory, MiB", memory),
    ]
    marks = [Mark(change.at - start, str(change)) for change in result.changes]
    return render(str(result.plan), panels, marks, result.end - start)
