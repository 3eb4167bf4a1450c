"""The scaler by its rules, and what each metric makes of a day."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay import bench
from forebay.flags import parse_flags
from forebay.scenarios.autoscaler import SYNC_SECONDS, Autoscaler, Behavior
from forebay.scenarios.calibration import Calibration
from forebay.scenarios.day import DAY, STEP_AT, factor
from forebay.scenarios.scaling import BEHAVIORS, METRICS, STEP_SECONDS, Scaled, scale
from forebay.settings import Settings

AT_ONCE = Behavior(up_window=0, up_pods=100, up_period=15, down_window=0, down_pods=100, down_period=15, most=50)


@pytest.mark.parametrize(
    ("replicas", "ratio", "after"),
    [(4, 1.0, 4), (4, 1.09, 4), (4, 1.2, 5), (4, 2.0, 8), (4, 0.91, 4), (4, 0.5, 2), (4, 0.0, 2), (10, 9, 50)],
)
def test_it_follows_the_ratio_beyond_a_tolerance_within_its_bounds(replicas: int, ratio: float, after: int) -> None:
    assert Autoscaler(AT_ONCE, replicas).sync(0, ratio) == after


def test_it_adds_after_the_window_and_no_faster_than_its_policy() -> None:
    scaler = Autoscaler(BEHAVIORS["slow"], 4)
    scaler.sync(0, 1.0)
    sizes = {now: scaler.sync(now, 16 / scaler.replicas) for now in range(SYNC_SECONDS, 1200, SYNC_SECONDS)}
    assert {now for now, size in sizes.items() if size > 4} == set(range(135, 1200, SYNC_SECONDS))
    assert [sizes[now] for now in (120, 135, 420, 435, 735, 1035)] == [4, 6, 6, 8, 10, 12]


def test_it_takes_away_after_an_hour_one_by_one() -> None:
    scaler = Autoscaler(BEHAVIORS["slow"], 8)
    scaler.sync(0, 1.0)
    sizes = {now: scaler.sync(now, 0.1) for now in range(SYNC_SECONDS, 6000, SYNC_SECONDS)}
    assert sizes[3600] == 8
    assert sizes[3615] == 7
    assert sizes[4200] == 7
    assert sizes[4215] == 6


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=200), st.sampled_from(sorted(BEHAVIORS)))
def test_it_stays_within_bounds_and_steps(ratios: list[float], name: str) -> None:
    behavior = BEHAVIORS[name]
    scaler = Autoscaler(behavior, 4)
    before = 4
    for number, ratio in enumerate(ratios):
        after = scaler.sync(number * SYNC_SECONDS, ratio)
        assert behavior.least <= after <= behavior.most
        assert -behavior.down_pods <= after - before <= behavior.up_pods
        before = after


def test_the_day_is_one_on_average_and_doubles_in_its_step() -> None:
    calm = [factor(float(now)) for now in range(int(DAY)) if not STEP_AT <= now < STEP_AT + 7200]
    assert sum(calm) / len(calm) == pytest.approx(1, abs=0.05)
    assert factor(STEP_AT) == pytest.approx(2 * factor(STEP_AT - 1), rel=0.01)


@pytest.fixture(scope="module")
def days() -> dict[str, Scaled]:
    return {metric.name: scale(metric, "slow", 1, Calibration()) for metric in METRICS}


def test_the_rate_of_what_arrives_is_the_steadiest_that_is_enough(days: dict[str, Scaled]) -> None:
    best = days["ingest rate"]
    assert best.reversals == 0
    assert best.step_recovered == 0
    assert best.hours_needed <= best.hours < 1.1 * best.hours_needed
    for name in ("CPU", "lag, records", "lag, seconds"):
        assert days[name].partitions_moved > best.partitions_moved
        assert days[name].reversals > best.reversals


def test_the_groups_lag_misses_consumers_where_bytes_end_segments(days: dict[str, Scaled]) -> None:
    assert days["group's lag"].hours < 0.7 * days["group's lag"].hours_needed
    assert days["group's lag"].minutes_behind > 10 * days["ingest rate"].minutes_behind


def test_memory_moves_nothing(days: dict[str, Scaled]) -> None:
    assert days["memory"].changes == 0


def test_a_day_is_as_long_as_its_looks(days: dict[str, Scaled]) -> None:
    for day in days.values():
        assert len(day.minutes) == DAY / 60
        assert day.hours == pytest.approx(sum(minute.consumers for minute in day.minutes) / 60, rel=0.02)
        assert 60 % STEP_SECONDS == 0


def test_the_same_seed_makes_the_same_day(days: dict[str, Scaled]) -> None:
    assert scale(METRICS[0], "slow", 1, Calibration()) == days[METRICS[0].name]


def test_it_is_printed_and_drawn(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = tmp_path / "chart.svg"
    monkeypatch.setattr(bench, "METRICS", METRICS[:2])
    assert bench.run(parse_flags(["bench", "scaling", "--json", f"--chart={chart}"]), Settings()) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["metric"] for row in rows] == [metric.name for metric in METRICS[:2]]
    lines = list(ET.fromstring(chart.read_text()).iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 3 * 2
