"""Runs inside the sanitized interpreter that tests/fuzz/run.py starts: mutates, calls, and keeps the input it is at.

Each input is written to a memory-mapped file before it is tried, so that it outlives the abort of the sanitizer.
"""

import argparse
import mmap
import resource
import signal
import time
from pathlib import Path

from tests.fuzz import exchange
from tests.fuzz.entry import Entry, exactly
from tests.fuzz.mutator import MAX_BYTES, Mutator
from tests.fuzz.targets import entries

_HANG_SECONDS = 120
"""Of CPU, for a round of inputs that takes a second: a machine that is busy or asleep is no hang."""
_BLOCKED_SECONDS = 1800
"""Of waiting, for the same round."""


class LastInput:
    """The name of the target, a newline, and the input."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(MAX_BYTES + 256))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def keep(self, name: str, data: bytes) -> None:
        text = f"{name} {len(data)}\n".encode() + data
        self._map[: len(text)] = text


REQUESTS = {"router": 30, "router 2.0": 30, "otlp": 3}
"""Weights of the targets for whole requests: the kernels are many times faster than the way through HTTP."""


def chosen(requests: int) -> tuple[dict[str, Entry], dict[str, int]]:
    """The targets and their weights: every kernel alike, or what takes write requests."""
    if not requests:
        targets = entries()
        return targets, dict.fromkeys(targets, 1)
    kernels = {name: entry for name, entry in entries().items() if name in REQUESTS or name.startswith("otlp")}
    targets = {**kernels, **exchange.entries()}
    return targets, {name: REQUESTS.get(name, 1) for name in targets}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--last-input", type=Path, required=True)
    parser.add_argument("--requests", type=int, default=0)
    arguments = parser.parse_args()
    last = LastInput(arguments.last_input)
    targets, weights = chosen(arguments.requests)
    mutator = Mutator(arguments.seed)
    tried = dict.fromkeys(targets, 0)
    began = time.monotonic()
    while time.monotonic() < began + arguments.seconds and not 0 < arguments.requests <= sum(tried.values()):
        for name, (target, corpus) in targets.items():
            signal.setitimer(signal.ITIMER_VIRTUAL, _HANG_SECONDS)  # what is not back by then hangs: the signal
            signal.alarm(_BLOCKED_SECONDS)  # ends this process
            for _ in range(50 * weights[name]):
                data = mutator.of(corpus)
                last.keep(name, data)
                target(exactly(data))
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.alarm(0)
            tried[name] += 50 * weights[name]
    for name, count in tried.items():
        print(f"{name}: {count} inputs")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"together: {sum(tried.values())} inputs, {time.monotonic() - began:.0f} s, peak memory {peak} MiB")


if __name__ == "__main__":
    main()
