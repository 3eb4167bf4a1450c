"""`forebay bench` as an operator runs it."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from forebay import bench
from forebay.flags import make_parser, parse_flags
from forebay.scenarios.run import DESIGNS
from forebay.scenarios.scenario import SCENARIOS
from forebay.settings import Settings
from tests.forebay import server


def run(*arguments: str) -> int:
    """Not by main, which would send this process' logs to what pytest captures."""
    return bench.run(parse_flags(["bench", *arguments]), Settings())


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(*arguments) == 0
    return capsys.readouterr().out


def test_a_row_for_each_scenario_size_and_design(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "scenarios", "node-loss", "network-pause", "--size=6:1M", "--size=8:2M")
    heads, *rows = text.splitlines()
    assert heads.split()[:3] == ["scenario", "size", "design"]
    assert [tuple(row.split()[:3]) for row in rows] == [
        (scenario, size, design)
        for size in ("6:1M", "8:2M")
        for scenario in ("node-loss", "network-pause")
        for design in DESIGNS
    ]


def test_json_holds_what_a_script_wants(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("scenarios", "scale-down", "--size=6:3M", "--design=hashring", "--seed=7", "--json")
    (row,) = json.loads(printed(capsys, *arguments))
    assert row["design"] == "hashring"
    assert row["seed"] == 7
    assert 0 < row["failed_requests"] < row["requests"]
    assert row["cost"].keys() == {"cores", "memory", "disk", "zones"}
    assert json.loads(printed(capsys, *arguments)) == [row]


def test_seed_0_is_a_seed() -> None:
    assert parse_flags(["bench", "scenarios", "--seed=0"]).bench.seed == 0


def test_a_chart_is_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    printed(capsys, "scenarios", "scale-up", "--size=6:3M", f"--chart={tmp_path / 'chart.svg'}")
    text = [element.text for element in ET.fromstring((tmp_path / "chart.svg").read_text()).iter()]
    assert set(DESIGNS) <= set(text)


def test_a_chart_of_many_is_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("scenarios", f"--chart={tmp_path / 'chart.svg'}") == 2
    assert "one scenario at one size" in capsys.readouterr().err
    assert not (tmp_path / "chart.svg").exists()


def test_a_chart_that_cannot_be_written_is_3(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("scenarios", "scale-up", "--size=6:1M", f"--chart={tmp_path}") == 3
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("scenarios", "nonsense"), ("scenarios", "--size=6"), ("scenarios", "--design=none"), ()]
)
def test_what_is_unknown_is_2(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_flags(["bench", *arguments])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_tells_every_scenario_and_design(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        make_parser().parse_args(["bench", "scenarios", "--help"])
    text = capsys.readouterr().out
    for scenario in SCENARIOS.values():
        assert scenario.name in text
        assert scenario.text in text
    for design in DESIGNS:
        assert f"\n  {design} " in text


def test_figures_are_printed_with_their_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert "python -m bench.broker" in printed(capsys, "figures")
    document = json.loads(printed(capsys, "figures", "--json"))
    assert document["receiver_rate"]["value"] == 50_000
    assert document["receiver_rate"]["kind"] == "measured"


def test_the_command_runs_it_without_settings_or_a_log() -> None:
    result = server.run("bench", "scenarios", "node-loss", "--size=6:1M", "--design=hashring")
    assert result.returncode == 0
    assert result.stdout.splitlines()[1].split()[:3] == ["node-loss", "6:1M", "hashring"]
    assert result.stderr == ""
