"""Charts of a table as SVG: bars, and curves over steps that lie evenly apart. The same input gives the same bytes."""

from collections.abc import Mapping, Sequence
from html import escape

from forebay.chart import COLORS, short, ticks

_WIDTH, _LEFT, _RIGHT = 960, 70, 24
_BAR, _NAMES = 20, 300
_HEIGHT, _TOP, _GAP = 180, 56, 34
_TEXT, _GRID = "#333333", "#eeeeee"


def _text(x: float, y: float, text: str, anchor: str = "start", color: str = _TEXT) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, color: str = _GRID) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"/>'


def _page(height: float, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="#ffffff"/>'
    )
    return "\n".join([head, *parts, "</svg>", ""])


def bars(title: str, rows: Sequence[tuple[str, float]]) -> str:
    """One bar a row, from 0, with its name before and its value behind."""
    most = max(value for _, value in rows)
    room = _WIDTH - _NAMES - 80
    parts = [_text(_NAMES, 20, title)]
    for number, (name, value) in enumerate(rows):
        y = 34 + number * (_BAR + 6)
        width = max(1.0, room * value / most)
        color = COLORS[0 if name.startswith("Forebay") else 7]
        parts.append(_text(_NAMES - 8, y + 14, name, "end"))
        parts.append(f'<rect x="{_NAMES}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{color}"/>')
        parts.append(_text(_NAMES + width + 6, y + 14, f"{value:,.0f}"))
    return _page(34 + len(rows) * (_BAR + 6) + 10, parts)


def curves(title: str, steps: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Panels, by title, of lines, by name, each with a value for every step; axes begin at 0."""
    parts = [_text(_LEFT, 20, title)]
    room = _WIDTH - _LEFT - _RIGHT
    across = [_LEFT + room * (at + 0.5) / len(steps) for at in range(len(steps))]
    top = float(_TOP)
    for heading, lines in panels.items():
        bottom = top + _HEIGHT
        marks = ticks(max(value for values in lines.values() for value in values) * 1.1)
        most = max(marks[-1], *(value for values in lines.values() for value in values))
        for mark in marks:
            y = bottom - _HEIGHT * mark / most
            parts += [_line(_LEFT, y, _WIDTH - _RIGHT, y), _text(_LEFT - 6, y + 4, short(mark), "end")]
        parts.append(_text(_LEFT, top - 8, heading))
        legend = _LEFT + 7 * len(heading) + 24
        for (name, values), color in zip(lines.items(), COLORS, strict=False):
            parts.append(_text(legend, top - 8, name, color=color))
            legend += 7 * len(name) + 20
            heights = [bottom - _HEIGHT * value / most for value in values]
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, heights, strict=True))
            parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.6"/>')
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>'
                for x, y in zip(across, heights, strict=True)
            ]
        parts += [_line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "#cccccc"), _line(_LEFT, top, _LEFT, bottom, "#cccccc")]
        top = bottom + _GAP
    parts += [_text(x, top - _GAP + 16, step, "middle") for x, step in zip(across, steps, strict=True)]
    return _page(top - _GAP + 26, parts)
