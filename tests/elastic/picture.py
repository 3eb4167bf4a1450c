"""The chart of a run."""

from itertools import pairwise

from forebay.chart import COLORS, Line, Mark, Panel, Span, render
from tests.elastic.run import Result
from tests.elastic.sampler import lags

_FAINT = "#e3e3e3"
_PLAIN, _ALARM = "#1f77b4", "#d62728"


def picture(result: Result) -> str:
    """As SVG."""
    rows = [row for row in result.rows if row.at <= result.end]
    start = rows[0].at
    members = sorted({holding.member for holding in result.holdings})
    color = {name: COLORS[number % len(COLORS)] for number, name in enumerate(members)}
    lag = lags(rows)
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
            "lag of the partition furthest behind, seconds",
            [Line([(look.at - start, look.seconds) for look in lag], _PLAIN)],
        ),
        Panel("CPU, cores:", cpu, least=0.1),
        Panel("memory, MiB", memory),
    ]
    marks = [Mark(change.at - start, str(change)) for change in result.changes]
    return render(str(result.plan), panels, marks, result.end - start)
