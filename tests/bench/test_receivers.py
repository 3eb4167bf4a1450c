"""Every runner does what its contract says, under a load of a moment; those whose peers only benches need skip."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench import peers, scale, stored
from bench.chart import bars, curves
from bench.contest import Result, run
from bench.load import Load, bodies
from bench.receivers.forebay import ForebayEmbedded
from bench.receivers.prometheus import Prometheus
from bench.receivers.receiver import Receiver
from bench.receivers.victoria_metrics import VictoriaMetrics
from bench.send import SendError, Sent
from bench.tables import COLUMNS, results_table
from tests.peers.recipes import BENCH_PEERS, PEERS, Recipe

LOAD = Load(10_000, 10, 500)
"""Enough that CPU time, which is counted in hundredths of a second, is not none."""


def check(result: Result) -> None:
    assert result.load.samples == 100_000
    assert len(result.sent.latencies) >= 200
    assert 0 < result.accepted_cpu_seconds <= result.cpu_seconds <= result.all_cpu_seconds
    assert result.memory_peak >= result.memory_ready > 0
    assert result.stored_bytes > 0
    table = results_table([[result]]).splitlines()
    assert [row.count("|") for row in table] == [len(COLUMNS) + 1] * 3
    assert result.name in table[2]


def go(receiver: Receiver, load: Load = LOAD) -> Result:
    return run(receiver, load, list(bodies(load, time.time_ns() // 1_000_000)))


@pytest.mark.slow
def test_forebay_embedded(tmp_path: Path) -> None:
    """Two tenants: each has blocks of its own."""
    result = go(ForebayEmbedded(tmp_path, slot=3), replace(LOAD, tenants=2))
    check(result)
    assert result.log_bytes > 0


@pytest.mark.peer("victoria-metrics")
def test_victoria_metrics(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    peer("victoria-metrics")
    check(go(VictoriaMetrics(tmp_path)))


@pytest.mark.peer("prometheus-3.15")
def test_prometheus(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    peer("prometheus-3.15")
    result = go(Prometheus(tmp_path))
    check(result)
    assert result.log_bytes > 0


@pytest.mark.slow
@pytest.mark.peer("kafka-4.1")
@pytest.mark.peer("versitygw")
def test_forebay_on_kafka_in_a_whole_table(
    peer: Callable[[str], Recipe], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peer("kafka-4.1")
    peer("versitygw")
    chart = tmp_path / "chart.svg"
    few = ["--series=10000", "--scrapes=10", "--repeat=1", "--slot=3", "--only", "forebay-kafka", f"--chart={chart}"]
    assert peers.main(few) == 0
    out = capsys.readouterr().out
    (row,) = (line for line in out.splitlines() if line.startswith("| Forebay, Kafka and S3 |"))
    cells = dict(zip(COLUMNS, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    assert "broker" in cells["CPU-seconds until stored"]
    assert "object store" in cells["CPU-seconds until stored"]
    assert all(cells.values())
    assert ET.fromstring(chart.read_text()).tag.endswith("svg")


def test_a_peer_that_is_not_set_up_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.peers.recipes.CACHE", tmp_path)
    assert peers.present(["forebay", "thanos", "mimir-kafka"]) == ["forebay"]


def test_peers_of_benches_are_set_up_only_when_named() -> None:
    assert not PEERS.keys() & BENCH_PEERS.keys()
    assert {need for each in peers.CONTESTANTS.values() for need in each.needs} <= PEERS.keys() | BENCH_PEERS.keys()


def result(name: str, cpu_seconds: float) -> Result:
    return Result(name, LOAD, Sent(1.0, (0.1,)), cpu_seconds, cpu_seconds, {}, 1, 1, 1, 0, 1)


def test_ratios_are_of_one_round_and_their_median() -> None:
    mine = [result("f", seconds) for seconds in (1.0, 2.0, 4.0)]
    theirs = [result("v", seconds) for seconds in (3.0, 10.0, 8.0)]
    lines = peers.ratios({"forebay": mine, "victoria-metrics": theirs}).splitlines()
    assert lines[2:] == ["| forebay | victoria-metrics | 3.00 | 2.00 and 5.00 | 3 |"]


def test_charts_are_well_formed_and_hold_what_they_were_given() -> None:
    assert "1,234" in bars("a < b", [("Forebay", 1234.0), ("another", 7.0)])
    chart = curves("a < b", ["10k", "1M"], {"ns a sample": {"gateway": [1.0, 2.0], "consumer": [3.0, 4.5]}})
    assert len(ET.fromstring(chart).findall("{*}polyline")) == 2
    assert chart == curves("a < b", ["10k", "1M"], {"ns a sample": {"gateway": [1.0, 2.0], "consumer": [3.0, 4.5]}})


@pytest.mark.slow
@pytest.mark.peer("prometheus-3.15")
def test_what_a_pair_sends_twice_is_stored_once(
    peer: Callable[[str], Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    peer("prometheus-3.15")
    assert stored.main(["--series=2000", "--scrapes=60", "--slot=3"]) == 0
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in rows[2:]] == ["1.0000"] * 3
    assert all(float(size) > 0 for *_, size, _ in rows[2:])


@pytest.mark.slow
def test_a_curve_has_a_point_for_each_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--only", "labels", "--series=10000", "--steps=1", "--slot=3", f"--charts={tmp_path}"]
    assert scale.main(few) == 0
    row = capsys.readouterr().out.splitlines()[-1].strip("|").split("|")
    assert row[0].strip() == "5"
    assert all(float(cell.replace(",", "")) > 0 for cell in row[1:])
    assert ET.fromstring((tmp_path / "scale-labels.svg").read_text()).tag.endswith("svg")


def test_only_what_grows_differs_along_a_curve() -> None:
    curves_of = scale.axes(100_000, 10, 5_000_000)
    assert [step.label for step in curves_of["series"]] == ["10k", "30k", "100k", "300k", "1M", "5M"]
    for name, steps in curves_of.items():
        assert len({replace(step.load, series=1, tenants=1, labels=4, churn=0) for step in steps}) == 1, name
    assert {step.load.series for step in curves_of["tenants"]} == {100_000}
    assert {step.load.requests_per_scrape for step in curves_of["tenants"]} == {10_000}


def test_a_receiver_that_fails_is_left_out_of_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def run_or_fail(receiver: Receiver, load: Load, _: object) -> Result:
        if isinstance(receiver, Prometheus):
            raise SendError("refused")
        return result(receiver.name, 1.0)

    monkeypatch.setattr(peers, "run", run_or_fail)
    rounds = peers.compete(["victoria-metrics", "prometheus", "forebay"], Load(100, 1), 2, 3, tmp_path)
    assert {name: len(results) for name, results in rounds.items()} == {"victoria-metrics": 2, "forebay": 2}
    assert "prometheus failed, and is left out: refused" in capsys.readouterr().err
