"""One scenario at one size, all designs in one chart."""

from collections.abc import Sequence

from forebay.chart import COLORS, Line, Mark, Panel, render
from forebay.scenarios.calibration import GIB
from forebay.scenarios.outcome import Moment, Outcome
from forebay.scenarios.scenario import BEGIN, SCENARIOS

_POINTS = 240
_AFTER = 1.25
_LEAST_SECONDS = 180.0


def picture(outcomes: Sequence[Outcome]) -> str:
    """As SVG, from a while before the first event until all designs are well again, or have done what was asked."""
    first = outcomes[0]
    times = [max(each.fresh_after, each.refusing_seconds) for each in outcomes]
    until = BEGIN + max(_LEAST_SECONDS, _AFTER * max(times))
    colors = {each.design: COLORS[number] for number, each in enumerate(outcomes)}

    def lines(name: str) -> list[Line]:
        return [
            Line(_thin(each.moments, name, until), colors[each.design], each.design, stepped=True) for each in outcomes
        ]

    panels = [
        Panel("failed requests a second:", lines("failed")),
        Panel("behind: oldest sample that no query finds, seconds", lines("behind")),
        Panel("memory of all nodes, GiB", lines("memory")),
        Panel("nodes", lines("nodes"), height=50),
    ]
    title = f"{first.scenario} at {first.size}, seed {first.seed}: {SCENARIOS[first.scenario].text}"
    return render(title, panels, [Mark(BEGIN, "begins")], until)


def _thin(moments: Sequence[Moment], name: str, until: float) -> list[tuple[float, float]]:
    """The highest of each stretch, so that no peak is lost."""
    scale = GIB if name == "memory" else 1
    highest: dict[int, tuple[float, float]] = {}
    for moment in moments:
        if moment.at <= until:
            place = int(moment.at / until * _POINTS)
            point = moment.at, getattr(moment, name) / scale
            if place not in highest or point[1] > highest[place][1]:
                highest[place] = point
    points: list[tuple[float, float]] = []
    for point in highest.values():
        if not points or points[-1][1] != point[1]:
            points.append(point)
    return [*points, (until, points[-1][1])]
