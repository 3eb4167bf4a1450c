"""The public compliance suite for receivers of remote-write, against a real process."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.forebay import ForebayServer
from tests.peers.recipes import Recipe

pytestmark = [pytest.mark.peer("remote-write-compliance"), pytest.mark.timeout(300)]

LEVEL = re.compile(r"^=== ATTR +(\S+) rfcLevel (\w+)$", re.MULTILINE)
RESULT = re.compile(r"^ *--- (\w+): (\S+)", re.MULTILINE)


def run_suite(program: Path, url: str, directory: Path) -> str:
    """What it prints of each test; it exits with 1 where one fails."""
    config = directory / "config.yml"
    config.write_text(json.dumps({"remote_write": [{"name": "forebay", "url": url}]}))
    done = subprocess.run(
        [program, "-test.v"],
        env=os.environ | {"PROMETHEUS_RW2_COMPLIANCE_CONFIG_FILE": str(config)},
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    return done.stdout + done.stderr


def test_every_requirement_and_recommendation_is_met(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    program = peer("remote-write-compliance").program("receiver")
    with ForebayServer(tmp_path / "forebay", {"self_metrics": {"enabled": False}}) as forebay:
        forebay.ready()
        output = run_suite(program, f"{forebay.url}/api/v1/write", tmp_path)
    results = {name: verdict for verdict, name in RESULT.findall(output)}
    assert {name: verdict for name, verdict in results.items() if verdict != "PASS"} == {}, output
    levels = dict(LEVEL.findall(output))
    assert set(levels) <= set(results)
    assert Counter(levels.values()) == {"MUST": 111, "SHOULD": 92, "MAY": 2}
