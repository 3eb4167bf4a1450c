"""kill -9 of a rebuild at random moments, beside a compactor: whatever it left, the next run ends in the same."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.samples import Samples, load
from tests.forebay.server import ROOT, Role, run
from tests.gateway.requests import body

WINDOW_MS = 7_200_000
SERIES, ROUNDS, KILLS = 10, 12, 8
SETTINGS = {
    "segment": {"interval": "1s", "grace": "100ms"},
    "compactor": {"interval": "300ms", "close_delay": "0s", "delete_delay": "10m"},
    "external_labels": {"cluster": "eu1"},
}

pytestmark = pytest.mark.slow


def once(samples: Samples) -> dict[object, object]:
    """By series and time; several blocks may hold a sample until the compactor cleans, but not two values of it."""
    assert all(len(set(values)) == 1 for values in samples.values())
    return {key: values[0] for key, values in samples.items()}


def test_a_rebuild_that_is_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    chance = random.Random(4)
    start = (int(time.time() * 1000) // WINDOW_MS - 1) * WINDOW_MS
    with Role("all-in-one", tmp_path, SETTINGS) as role:
        role.ready()
        for number in range(ROUNDS):
            series = (
                ({"__name__": "up", "n": f"{n}"}, [(start + number * 1000, float(number))]) for n in range(SERIES)
            )
            assert role.write(body(*series)) == 204
            time.sleep(0.6)
        deadline = time.monotonic() + 60
        while not all(row["manifest_end"] == row["end_offset"] for row in role.status()["partitions"]):
            assert time.monotonic() < deadline, role.tail()
            time.sleep(0.2)
        bucket = role.data / "bucket"
        before = once(load(bucket))
        assert len(before) == SERIES * ROUNDS
        settings = tmp_path / "now.yaml"
        settings.write_text(role.settings_file.read_text().replace("eu1", "us1"))
        flags = [f"--data.dir={role.data}", f"--config.file={settings}"]
        command = [sys.executable, "-m", "forebay", "replay", "--rebuild", *flags]
        killed = 0
        for _ in range(KILLS):
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(0.3)
                while process.poll() is None and not list((role.data / "staging").glob("replay-*/*")):
                    time.sleep(0.001)  # until it builds
                time.sleep(chance.uniform(0, 0.6))
                process.kill()
                killed += process.wait() < 0
            assert once(load(bucket)) == before
        told = run("replay", "--rebuild", *flags, timeout=120)
        assert told.returncode == 0, told.stdout + told.stderr
        assert killed > 0
        audited = run("audit", "--deep", *flags, timeout=120)
        assert audited.returncode == 0, audited.stdout
        assert once(load(bucket)) == before
        found = role.read(start=start, end=start + WINDOW_MS, __name__="up")
        expected = [(start + number * 1000, float(number)) for number in range(ROUNDS)]
        assert [each["samples"] for each in found] == [expected] * SERIES
        assert role.stop() == 0
