"""Whole scenarios: laws that hold for every design, and what each is known for."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from forebay.scenarios.calibration import Calibration, figures
from forebay.scenarios.hashring import no_quorum
from forebay.scenarios.outcome import Outcome
from forebay.scenarios.picture import picture
from forebay.scenarios.run import DESIGNS, play
from forebay.scenarios.scenario import SCENARIOS
from forebay.scenarios.size import Size

SMALL, LARGE = Size(6, 3_000_000), Size(1000, 100_000_000)


def outcome(scenario: str, design: str, size: Size = SMALL, seed: int = 1) -> Outcome:
    return play(SCENARIOS[scenario], size, design, seed, Calibration())


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("size", [SMALL, Size(60, 30_000_000)], ids=str)
def test_no_sample_is_lost_or_made(scenario: str, design: str, size: Size) -> None:
    done = outcome(scenario, design, size)
    assert done.acknowledged + done.waiting == pytest.approx(done.offered, rel=1e-9)
    if design != "hashring":
        assert done.produced == pytest.approx(done.acknowledged, rel=1e-9)
        assert done.consumed + done.lag == pytest.approx(done.produced, rel=1e-9)
    assert done.requests * 2000 >= done.acknowledged * (1 - 1e-9)
    for moment in done.moments:
        assert min(moment.failed, moment.behind, moment.memory) >= 0


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_all_is_well_in_the_end(scenario: str, design: str) -> None:
    done = outcome(scenario, design)
    assert done.waiting < 1
    assert done.lag == 0
    assert done.moments[-1].failed == 0
    assert 0 < done.took < 86_400


@pytest.mark.parametrize("design", DESIGNS)
def test_a_seed_says_it_all(design: str) -> None:
    assert outcome("node-loss", design) == outcome("node-loss", design)


def test_another_seed_meets_another_moment() -> None:
    assert outcome("rolling-update", "forebay").moments != outcome("rolling-update", "forebay", seed=2).moments


def test_the_largest_takes_seconds_to_compute_and_is_proportional() -> None:
    """Nodes that nothing happens to cost nothing, so days of a thousand nodes are few steps."""
    done = outcome("rolling-update", "hashring", LARGE)
    assert done.took > 36_000
    assert len(done.moments) < 3 * LARGE.nodes


@pytest.mark.parametrize("scenario", ["rolling-update", "scale-up", "scale-down", "node-loss", "network-pause"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=str)
def test_consumers_come_and_go_without_a_failed_request(scenario: str, size: Size) -> None:
    assert outcome(scenario, "forebay", size).failed_requests == 0


def test_a_ring_that_changes_refuses_writes() -> None:
    assert outcome("scale-up", "hashring").refusing_seconds >= Calibration().pod_start
    assert outcome("scale-down", "hashring").failed_requests > 0
    assert outcome("rolling-update", "hashring").failed_requests == 0  # one node at a time leaves a quorum


def test_partitions_that_ingesters_own_are_read_only_for_hours_before_they_go() -> None:
    assert outcome("scale-down", "ingest-storage").took == pytest.approx(Calibration().partition_inactive, abs=120)


def test_a_slow_node_is_felt_where_nobody_else_has_its_samples() -> None:
    assert outcome("slow-consumer", "forebay").most_behind_seconds > 300
    assert outcome("slow-consumer", "ingest-storage").most_behind_seconds == 0
    assert outcome("slow-consumer", "hashring").failed_requests == 0


def test_one_partition_that_is_too_hot_for_one_reader_falls_behind() -> None:
    assert outcome("hot-partition", "ingest-storage", LARGE).most_behind_seconds > 300
    assert outcome("hot-partition", "hashring", LARGE).failed_requests > 0
    assert outcome("hot-partition", "forebay", LARGE).most_behind_seconds < 5


def test_a_partition_too_hot_for_a_consumer_falls_behind_too() -> None:
    given = replace(Calibration(), consumer_rate=100_000.0)
    done = play(SCENARIOS["hot-partition"], LARGE, "forebay", 1, given)
    assert done.most_behind_seconds > 300
    assert done.failed_requests == 0


def test_copies_are_what_each_design_keeps() -> None:
    assert [outcome("node-loss", design).copies for design in DESIGNS] == [1, 3, 2]


@pytest.mark.parametrize("nodes", [4, 7, 12])
@pytest.mark.parametrize("down", [0, 1, 2, 3])
def test_quorums_are_counted_right(nodes: int, down: int) -> None:
    """Against every set of three replicas."""
    sets = [(a, b, c) for a in range(nodes) for b in range(a) for c in range(b)]
    lost = sum(sum(node < down for node in each) >= 2 for each in sets)
    assert no_quorum(nodes, down) == pytest.approx(lost / len(sets))


def test_every_figure_says_where_it_is_from() -> None:
    for name, each in figures(Calibration()):
        assert each.kind in {"measured", "published", "assumed"}, name
        assert each.source, name
        assert each.unit, name
        assert each > 0, name


def test_a_figure_given_by_hand_is_told_from_those_of_a_source() -> None:
    found = dict(figures(replace(Calibration(), zones=3.0)))
    assert found["zones"].kind == "assumed"
    assert found["zones"].source == "given by hand"


@pytest.mark.parametrize("scenario", ["scale-down", "slow-consumer"])
def test_a_chart_has_a_line_for_each_design(scenario: str) -> None:
    drawn = picture([outcome(scenario, design) for design in DESIGNS])
    lines = list(ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}polyline"))
    assert len(lines) == 4 * len(DESIGNS)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [("6", "such as"), ("3:1M", "nodes"), ("1001:1M", "nodes"), ("9:1G", "such as"), ("9:101M", "series")],
)
def test_a_size_that_is_none_is_refused(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Size.parse(text)


def test_a_size_is_read_as_it_is_written() -> None:
    for text in ("6:3M", "60:1500k", "4:1001"):
        assert str(Size.parse(text)) == text
