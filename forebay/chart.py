"""Small multiples over time as SVG: panels of lines below each other, and strips of who held what."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from math import floor, log10

COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#7f7f7f")
_WIDTH, _LEFT, _RIGHT, _TOP, _GAP = 960, 70, 14, 52, 30
_TEXT = "#333333"
_MINUTES, _HOURS = 1800, 7200
"""From so many seconds on, the axis is told in these."""


@dataclass(frozen=True)
class Line:
    points: Sequence[tuple[float, float]]
    """(seconds, value), ascending."""
    color: str
    label: str = ""
    stepped: bool = False


@dataclass(frozen=True)
class Span:
    """A stretch of one row of a strip."""

    row: int
    begin: float
    end: float
    color: str


@dataclass(frozen=True)
class Panel:
    """Either `lines`, with an axis from 0 up, or `spans` in `rows` rows."""

    title: str
    lines: Sequence[Line] = ()
    spans: Sequence[Span] = ()
    rows: int = 0
    height: int = 90
    least: float = 1.0
    """What the axis reaches at least."""


@dataclass(frozen=True)
class Mark:
    """A moment, drawn through all panels."""

    at: float
    label: str


@dataclass
class _Canvas:
    until: float
    parts: list[str] = field(default_factory=list)

    def x(self, at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(at / self.until, 0.0), 1.0)

    def text(self, x: float, y: float, text: str, anchor: str = "start", color: str = _TEXT) -> None:
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>')

    def across(self, y: float, color: str) -> None:
        self.parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{color}"/>')

    def down(self, x: float, top: float, bottom: float, color: str) -> None:
        self.parts.append(f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{color}"/>')

    def box(self, x1: float, y: float, x2: float, height: float, color: str) -> None:
        width = max(x2 - x1, 0.1)
        self.parts.append(f'<rect x="{x1:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.2f}" fill="{color}"/>')


def render(title: str, panels: Sequence[Panel], marks: Sequence[Mark], until: float) -> str:
    """From 0 to `until` seconds, told in hours where they are many. The same input gives the same bytes."""
    canvas = _Canvas(until)
    canvas.text(_LEFT, 18, title)
    y = float(_TOP)
    for panel in panels:
        _draw(canvas, panel, y)
        y += panel.height + _GAP
    bottom = y - _GAP
    for mark in marks:
        x = canvas.x(mark.at)
        canvas.down(x, 42, bottom, "#aaaaaa")
        canvas.text(x, 37, mark.label, "middle", "#666666")
    size, unit = (3600, "h") if until >= _HOURS else (60, "min") if until >= _MINUTES else (1, "s")
    for at in ticks(until / size, 8):
        canvas.text(canvas.x(at * size), bottom + 14, f"{at:g} {unit}", "middle")
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{bottom + 22:.0f}" '
        f'viewBox="0 0 {_WIDTH} {bottom + 22:.0f}" font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
    )
    return "\n".join([head, *canvas.parts, "</svg>", ""])


def ticks(most: float, about: int = 3) -> list[float]:
    """Round numbers from 0 to at most `most`, roughly so many."""
    step = 10 ** floor(log10(most / about))
    step = next(step * factor for factor in (1, 2, 5, 10) if most / (step * factor) <= about)
    return [round(step * number, 9) for number in range(int(most / step + 1e-9) + 1)]


def _draw(canvas: _Canvas, panel: Panel, top: float) -> None:
    canvas.text(_LEFT, top - 6, panel.title)
    x = canvas.x(0) + 8 * len(panel.title) * 0.72 + 16
    for label, color in {line.label: line.color for line in panel.lines if line.label}.items():
        canvas.text(x, top - 6, label, color=color)
        x += 8 * len(label) * 0.72 + 14
    bottom = top + panel.height
    if panel.rows:
        _draw_spans(canvas, panel, top)
    else:
        _draw_lines(canvas, panel, top)
    canvas.down(_LEFT, top, bottom, "#cccccc")
    canvas.across(bottom, "#cccccc")


def _draw_spans(canvas: _Canvas, panel: Panel, top: float) -> None:
    row = panel.height / panel.rows
    for span in panel.spans:
        canvas.box(canvas.x(span.begin), top + row * span.row, canvas.x(span.end), row * 0.9, span.color)
    for number in (0, panel.rows - 1):
        canvas.text(_LEFT - 6, top + row * number + row / 2 + 4, str(number), "end")


def _draw_lines(canvas: _Canvas, panel: Panel, top: float) -> None:
    most = max([panel.least, *(value for line in panel.lines for _, value in line.points)])
    marks = ticks(most)
    most = max(most, marks[-1])
    bottom = top + panel.height

    def y(value: float) -> float:
        return bottom - panel.height * value / most

    for value in marks:
        canvas.across(y(value), "#eeeeee")
        canvas.text(_LEFT - 6, y(value) + 4, short(value), "end")
    for line in panel.lines:
        path: list[str] = []
        before = None
        for at, value in line.points:
            if line.stepped and before is not None:
                path.append(f"{canvas.x(at):.1f},{y(before):.1f}")
            path.append(f"{canvas.x(at):.1f},{y(value):.1f}")
            before = value
        canvas.parts.append(
            f'<polyline points="{" ".join(path)}" fill="none" stroke="{line.color}" stroke-width="1.4"/>'
        )


def short(value: float) -> str:
    """1500 as 1.5k."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
