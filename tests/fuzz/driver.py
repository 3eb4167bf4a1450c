"""Runs inside the sanitized interpreter that tests/fuzz/run.py starts: mutates, calls, and keeps the input it is at.

Each input is written to a memory-mapped file before it is tried, so that it outlives the abort of the sanitizer.
"""

import argparse
import mmap
import time
from pathlib import Path

from tests.fuzz.entry import exactly
from tests.fuzz.mutator import MAX_BYTES, Mutator
from tests.fuzz.targets import entries


class LastInput:
    """The name of the target, a newline, and the input."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(MAX_BYTES + 256))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def keep(self, name: str, data: bytes) -> None:
        text = f"{name} {len(data)}\n".encode() + data
        self._map[: len(text)] = text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--last-input", type=Path, required=True)
    arguments = parser.parse_args()
    last = LastInput(arguments.last_input)
    targets = entries()
    mutator = Mutator(arguments.seed)
    tried = dict.fromkeys(targets, 0)
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        for name, (target, corpus) in targets.items():
            for _ in range(50):
                data = mutator.of(corpus)
                last.keep(name, data)
                target(exactly(data))
            tried[name] += 50
    for name, count in tried.items():
        print(f"{name}: {count} inputs")


if __name__ == "__main__":
    main()
