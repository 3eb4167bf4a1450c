"""A compacted range, rebuilt under another label beside the process that reads, writes and compacts all the time."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.samples import blocks_in, load
from tests.forebay.server import Role, run
from tests.gateway.requests import body

WINDOW_MS = 7_200_000
SERIES, ROUNDS = 20, 4
SETTINGS = {
    "segment": {"interval": "1s", "grace": "100ms"},
    "compactor": {"interval": "500ms", "close_delay": "0s", "delete_delay": "15s"},
    "external_labels": {"cluster": "eu1"},
}

pytestmark = pytest.mark.slow


@pytest.fixture
def role(tmp_path: Path) -> Iterator[Role]:
    with Role("all-in-one", tmp_path, SETTINGS) as running:
        running.ready()
        yield running


def eventually(role: Role, condition: object, timeout: float = 120) -> None:
    assert callable(condition)
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, role.tail()
        time.sleep(0.2)


class Reader:
    """Reads all the time, and remembers every answer that was not what it should be."""

    def __init__(self, role: Role, start: int, expected: list[dict[str, object]]) -> None:
        self.wrong: list[object] = []
        self.answers = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(role, start, expected))
        self._thread.start()

    def _run(self, role: Role, start: int, expected: list[dict[str, object]]) -> None:
        while not self._stop.is_set():
            found = role.read(start=start, end=start + WINDOW_MS, __name__="rebuilt")
            self.answers += 1
            if found != expected:
                self.wrong.append(found)

    def halt(self) -> None:
        self._stop.set()
        self._thread.join()


def test_a_compacted_range_changes_over_under_everybody_and_each_sample_is_read_once(
    role: Role, tmp_path: Path
) -> None:
    start = (int(time.time() * 1000) // WINDOW_MS - 1) * WINDOW_MS
    for number in range(ROUNDS):
        at = start + number * 60_000
        series = (({"__name__": "rebuilt", "n": f"{n:02}"}, [(at, float(number))]) for n in range(SERIES))
        assert role.write(body(*series)) == 204
        time.sleep(1.2)
    bucket = role.data / "bucket"
    eventually(role, lambda: len(blocks_in(bucket)) == 1)  # merged, and the sources gone
    expected: list[dict[str, object]] = [
        {
            "labels": {"__name__": "rebuilt", "n": f"{n:02}"},
            "samples": [(start + number * 60_000, float(number)) for number in range(ROUNDS)],
        }
        for n in range(SERIES)
    ]
    settings = tmp_path / "now.yaml"
    settings.write_text(role.settings_file.read_text().replace("eu1", "us1"))
    flags = [f"--data.dir={role.data}", f"--config.file={settings}"]
    reader = Reader(role, start, expected)
    try:
        half = run("replay", *flags, "--partition=0", "--partition=2", "--rebuild", timeout=120)
        assert half.returncode == 0, half.stdout + half.stderr
        assert "was compacted, too" in half.stdout
        rest = run("replay", *flags, "--rebuild", timeout=120)
        assert rest.returncode == 0, rest.stdout + rest.stderr
        again = run("replay", *flags, "--rebuild", timeout=120)
        assert again.stdout.splitlines()[-1].startswith("nothing changed"), again.stdout
        whole = run("audit", *flags, "--deep", timeout=120)
        assert whole.returncode == 0, whole.stdout
        eventually(role, lambda: len(blocks_in(bucket)) == 1)  # what was replaced is removed, what is new is merged
    finally:
        reader.halt()
    assert reader.wrong == []
    assert reader.answers > 10
    stored = load(bucket)
    assert len(stored) == SERIES * ROUNDS
    assert {len(samples) for samples in stored.values()} == {1}
    assert '"us1"' in (blocks_in(bucket)[0] / "meta.json").read_text()
    assert run("audit", *flags, "--deep", timeout=120).returncode == 0
