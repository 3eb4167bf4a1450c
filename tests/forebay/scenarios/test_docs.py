"""docs/scenarios.md shows what the commands in it print."""

import re
from pathlib import Path

import pytest

from forebay.bench import run
from forebay.flags import parse_flags
from forebay.settings import Settings

_ROOT = Path(__file__).parent.parent.parent.parent
_COMMAND = re.compile(r"^    forebay bench ([^\n]*)\n\n((?:\|[^\n]*\n)+)", re.MULTILINE)
TABLES = dict(_COMMAND.findall((_ROOT / "docs" / "scenarios.md").read_text()))


def _slow(command: str) -> bool:
    return "1000:" in command or command.startswith("scaling")


@pytest.mark.parametrize(
    "command", [pytest.param(each, marks=pytest.mark.slow if _slow(each) else ()) for each in TABLES]
)
def test_a_table_is_what_its_command_prints(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(parse_flags(["bench", *command.split(), "--markdown"]), Settings()) == 0
    assert capsys.readouterr().out == TABLES[command]


def test_there_is_a_table_for_each_action() -> None:
    assert {command.split()[0] for command in TABLES} == {"scenarios", "scaling", "figures"}
