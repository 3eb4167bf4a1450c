"""Outcomes as tables, for terminals and for pages."""

from collections.abc import Sequence

from forebay.columns import columns
from forebay.scenarios.calibration import GIB, KIB, Calibration, figures
from forebay.scenarios.outcome import Outcome
from forebay.units import rough

HEADS = (
    "scenario",
    "size",
    "design",
    "failed requests",
    "of all",
    "refusing",
    "behind at most",
    "fresh after",
    "done after",
    "copies",
    "memory",
    "a series",
    "$ machines",
    "$ disks",
    "$ zones",
)
_FIGURE_HEADS = ("figure", "value", "unit", "kind", "source")


def text(outcomes: Sequence[Outcome]) -> str:
    """For a terminal."""
    return columns(HEADS, [row(each) for each in outcomes])


def markdown(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """For a page."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def row(outcome: Outcome) -> list[object]:
    """Beneath HEADS."""
    cost = outcome.cost
    return [
        outcome.scenario,
        outcome.size,
        outcome.design,
        f"{outcome.failed_requests:,.0f}",
        f"{outcome.failed_requests / outcome.requests:.2%}",
        _seconds(outcome.refusing_seconds),
        _seconds(outcome.most_behind_seconds),
        _seconds(outcome.fresh_after),
        _seconds(outcome.took),
        f"{outcome.copies:g}x",
        f"{outcome.memory_bytes / GIB:,.1f} GiB",
        f"{outcome.memory_bytes / KIB / outcome.series:.2f} KiB",
        f"{cost.cores + cost.memory:,.0f}",
        f"{cost.disk:,.0f}",
        f"{cost.zones:,.0f}",
    ]


def figures_text(calibration: Calibration) -> str:
    """For a terminal."""
    return columns(_FIGURE_HEADS, figure_rows(calibration))


def figures_markdown(calibration: Calibration) -> str:
    """For a page."""
    return markdown(_FIGURE_HEADS, figure_rows(calibration))


def figure_rows(calibration: Calibration) -> list[list[object]]:
    """Name, value, unit, kind and source of each."""
    return [[name, f"{each:,.7g}", each.unit, each.kind, each.source] for name, each in figures(calibration)]


def _seconds(seconds: float) -> str:
    return rough(round(seconds * 1000))
