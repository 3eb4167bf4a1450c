import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from consumers.head import Bounds, Head
from tests.consumers.head_oracle import Entry, decoded, named, record, tree
from tests.consumers.test_head import NOW, histogram

WINDOW_MS = 10_000
BOUNDS = Bounds(60_000, 60_000, 8)


def stream(rounds: int = 40) -> list[bytes]:
    """Records of 50 series over four windows: most in order, some late, repeated or in conflict, some histograms."""
    made = []
    for step in range(rounds):
        entries = []
        for pod in range(50):
            at = NOW + step * 700 + (pod * 7919 + step * 104_729) % 13
            late = at - 5_000 if (pod + step) % 5 == 0 else at
            value = histogram(step) if pod % 10 == 9 else (step * pod) << 40
            entries.append(Entry(named(pod=str(pod)), [(at, value), (late, value)]))
        made.append(record(entries))
    return made


def filled(records: list[bytes]) -> Head:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    for value in records:
        head.append(value, NOW)
    head.finish()
    return head


def blocks(head: Head, directory: Path, threads: int = 1) -> dict[str, bytes]:
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda window: head.write_block(window, directory / str(window)), head.windows()))
    return tree(directory)


def digest(files: dict[str, bytes]) -> str:
    return sha256(b"".join(name.encode() + files[name] for name in sorted(files))).hexdigest()


def test_blocks_do_not_depend_on_threads_or_on_other_heads(tmp_path: Path) -> None:
    records = stream()
    alone = blocks(filled(records), tmp_path / "alone")
    assert len(alone) == 4 * 2
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: filled(records), range(4)))
        together = list(pool.map(lambda n: blocks(made[n], tmp_path / str(n), threads=3), range(4)))
    assert all(each == alone for each in together)
    assert blocks(made[0], tmp_path / "again") == alone


def test_blocks_do_not_depend_on_selections_in_between(tmp_path: Path) -> None:
    records = stream()
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    for value in records:
        head.append(value, NOW)
        list(head.select([], 0, 2**62))
    head.finish()
    assert blocks(head, tmp_path / "a") == blocks(filled(records), tmp_path / "b")


SCRIPT = """
import sys
from pathlib import Path
from tests.consumers.test_head_threads import blocks, digest, filled, stream
print(digest(blocks(filled(stream()), Path(sys.argv[1]))))
"""


@pytest.mark.parametrize("seed", ["0", "1"])
def test_blocks_do_not_depend_on_the_process(tmp_path: Path, seed: str) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "other")],
        env={**os.environ, "PYTHONHASHSEED": seed},
        cwd=Path(__file__).parents[2],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.strip() == digest(blocks(filled(stream()), tmp_path / "own"))


def test_appends_selections_and_counts_from_many_threads(tmp_path: Path) -> None:
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    done = threading.Event()

    def append(writer: int) -> None:
        for step in range(300):
            entries = [Entry(named(writer=str(writer), pod=str(pod)), [(NOW + step * 30, step)]) for pod in range(10)]
            head.append(record(entries), NOW)

    def select() -> int:
        rounds = 0
        while not done.is_set():
            for series in head.select([], 0, 2**62):
                times = [t for chunk in series.chunks for t, _ in decoded(chunk)]
                assert times == sorted(times)
                assert times[0] == NOW
            assert head.counts.stored <= 4 * 300 * 10
            assert head.memory_bytes > 0
            rounds += 1
        return rounds

    with ThreadPoolExecutor(6) as pool:
        readers = [pool.submit(select) for _ in range(2)]
        for writer in [pool.submit(append, number) for number in range(4)]:
            writer.result()
        done.set()
        assert all(reader.result() for reader in readers)
    assert head.finish().stored == 4 * 300 * 10
    assert head.write_block(NOW, tmp_path).series == 40


HUNGRY = """
import resource
from consumers.head import Bounds, Head
from tests.consumers.head_oracle import Entry, named, record
from tests.consumers.test_head import NOW

def entries(first, n, t):
    return record([Entry(named(pod=str(pod), filler="x" * 900), [(t, pod)]) for pod in range(first, first + n)])

refused = [entries(first, 500, NOW) for first in range(0, 40_000, 500)]
head = Head(seed=7, window_ms=10_000, bounds=Bounds(60_000, 60_000, 8))
held = int(open("/proc/self/statm").read().split()[0]) * 4096
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (held + (24 << 20), unlimited[1]))
taken = failed = 0
for value in refused:
    before = (head.counts, head.series, head.windows())
    try:
        head.append(value, NOW)
        taken += 1
    except MemoryError:
        failed += 1
        assert (head.counts, head.series, head.windows()) == before
assert taken and failed, (taken, failed)
resource.setrlimit(resource.RLIMIT_AS, unlimited)
for value in refused:
    head.append(value, NOW)
assert head.series == 500 * len(refused)
counts = head.finish()
assert counts.stored == head.series and counts.appended == counts.stored + counts.duplicate
print("whole")
"""


def test_a_record_that_memory_refuses_leaves_the_head_as_it_was() -> None:
    result = subprocess.run(
        [sys.executable, "-c", HUNGRY],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (result.stdout.strip(), result.stderr) == ("whole", "")


def test_memory_goes_back_with_the_head() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    values = [
        record([Entry(named(pod=str(pod), filler="x" * 900), [(NOW, pod)]) for pod in range(first, first + 500)])
        for first in range(0, 40_000, 500)
    ]
    before = resident()
    head = Head(seed=7, window_ms=WINDOW_MS, bounds=BOUNDS)
    assert head.memory_bytes < 4096
    for value in values:
        head.append(value, NOW)
    held = head.memory_bytes
    grown = resident() - before
    assert 30 << 20 < grown < held + (4 << 20)
    del head
    assert resident() - before < 4 << 20
