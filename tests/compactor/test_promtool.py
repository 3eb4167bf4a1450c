"""Prometheus' own tool judges what was compacted."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compactor.world import WINDOW, World
from tests.peers.recipes import Recipe

pytestmark = pytest.mark.peer("prometheus-2.42")


def test_it_accepts_what_was_compacted_twice(peer: Callable[[str], Recipe], tmp_path: Path) -> None:
    program = peer("prometheus-2.42").program("promtool")
    world = World(tmp_path)
    world.close_window()
    for start in range(0, 40, 10):
        names = [f"metric_{number}" for number in range(start, start + 100)]
        times = range(WINDOW + start * 40_000, WINDOW + start * 40_000 + 1_000_000, 15_000)
        world.publish(0, start, {name: dict.fromkeys(times, start) for name in names})
        if start in {10, 30}:
            assert world.compactor().run_once().compacted == 1
    (output,) = (ulid for ulid in world.ulids() if len(world.read_block(ulid)) == 130)
    world.fetch(output, tmp_path / "data" / output)
    command: list[str | Path] = [program, "tsdb", "analyze", "--extended", tmp_path / "data", output]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "\nSeries: 130\n" in result.stdout
