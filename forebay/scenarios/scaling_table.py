"""Days under a scaler as a table and as a chart."""

from collections.abc import Sequence

from forebay.chart import COLORS, Line, Mark, Panel, render
from forebay.scenarios.day import DAY, MARKS
from forebay.scenarios.scaling import Minute, Scaled
from forebay.units import rough

HEADS = (
    "scaled by",
    "behaviour",
    "changes",
    "taken back within the hour",
    "partitions moved",
    "consumers at most (needed)",
    "consumer-hours to those needed",
    "behind",
    "behind at most",
    "step caught up after",
)
_NEEDED = "#bbbbbb"


def row(day: Scaled) -> list[object]:
    """Beneath HEADS."""
    return [
        day.metric,
        day.behavior,
        day.changes,
        day.reversals,
        day.partitions_moved,
        f"{day.most} ({day.most_needed})",
        f"{day.hours / day.hours_needed:.2f}",
        f"{day.minutes_behind:.0f}m",
        rough(round(day.most_behind * 1000)),
        rough(round(day.step_recovered * 1000)),
    ]


def picture(days: Sequence[Scaled]) -> str:
    """As SVG: consumers beside those that were needed, for each day, and how far behind readers were."""
    panels = []
    for number, day in enumerate(days):
        color = COLORS[number % len(COLORS)]
        panels.append(
            Panel(
                f"consumers by {day.metric} ({day.behavior}), beneath it those needed:",
                [
                    Line(_steps(day.minutes, "needed"), _NEEDED, "needed", stepped=True),
                    Line(_steps(day.minutes, "consumers"), color, "there", stepped=True),
                ],
                height=60,
            )
        )
    panels.append(
        Panel(
            "behind, seconds:",
            [
                Line(_steps(day.minutes, "behind"), COLORS[number % len(COLORS)], day.metric, stepped=True)
                for number, day in enumerate(days)
            ],
        )
    )
    marks = [Mark(at, label) for at, label in MARKS]
    return render("A day of consumers under a scaler that sees one metric", panels, marks, DAY)


def _steps(minutes: Sequence[Minute], name: str) -> list[tuple[float, float]]:
    """Where it changes."""
    points: list[tuple[float, float]] = []
    for minute in minutes:
        value = float(getattr(minute, name))
        if not points or points[-1][1] != value:
            points.append((minute.at, value))
    return [*points, (DAY, points[-1][1])]
