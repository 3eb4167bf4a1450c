from xml.etree import ElementTree as ET

import pytest

from forebay.chart import Line, Mark, Panel, Span, render, short, ticks


def test_a_chart_is_well_formed_and_always_the_same() -> None:
    panels = [
        Panel("a < b", [Line([(0, 1), (5, 3)], "red", "first"), Line([(2, 0), (4, 2)], "blue", stepped=True)]),
        Panel("who", spans=[Span(0, 0, 4, "red"), Span(1, 2, 6, "blue")], rows=2),
    ]
    drawn = render("title & all", panels, [Mark(3, "1 → 2")], 6)
    assert drawn == render("title & all", panels, [Mark(3, "1 → 2")], 6)
    root = ET.fromstring(drawn)
    kinds = [element.tag.rpartition("}")[2] for element in root]
    assert kinds.count("polyline") == 2
    assert kinds.count("rect") == 3
    assert "a < b" in [element.text for element in root]


def test_a_stepped_line_has_no_slope() -> None:
    drawn = render("", [Panel("", [Line([(0, 1), (5, 3)], "red", stepped=True)])], [], 10)
    (line,) = ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}polyline")
    first, corner, last = (point.split(",") for point in line.attrib["points"].split())
    assert (corner[0], corner[1]) == (last[0], first[1])


@pytest.mark.parametrize(
    ("most", "marks"), [(1.0, [0, 0.5, 1]), (3.2, [0, 2]), (7, [0, 5]), (240, [0, 100, 200]), (0.1, [0, 0.05, 0.1])]
)
def test_axes_have_round_numbers(most: float, marks: list[float]) -> None:
    assert ticks(most) == marks


def test_numbers_are_written_short() -> None:
    assert [short(value) for value in (0, 0.05, 250, 1500, 2_000_000)] == ["0", "0.05", "250", "1.5k", "2M"]


@pytest.mark.parametrize(("until", "last"), [(600, "600 s"), (3600, "60 min"), (86_400, "20 h")])
def test_time_is_told_in_a_unit_that_can_be_read(until: float, last: str) -> None:
    drawn = render("", [Panel("", [Line([(0, 1)], "red")])], [], until)
    assert [element.text for element in ET.fromstring(drawn)][-1] == last
