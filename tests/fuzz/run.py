"""`python -m tests.fuzz.run --seconds N`: feeds hostile bytes to the kernels, under AddressSanitizer.

With `--requests N`, so many mutated write requests instead: bodies into the kernels, and whole requests of all
protocols, headers too, into a gateway's HTTP server in memory; none may crash, hang, or be answered with 5xx.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import sanitized

BUILD = sanitized.ROOT / "build"


def fuzz(seconds: float, seed: int, last_input: Path, requests: int = 0) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        sanitized.assemble(tree)
        return sanitized.run(
            tree,
            "-m",
            "tests.fuzz.driver",
            f"--seconds={seconds}",
            f"--seed={seed}",
            f"--last-input={last_input}",
            f"--requests={requests}",
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=None, help="at most; by default 600, or as long as it takes")
    parser.add_argument("--requests", type=int, default=0, help="mutated write requests, over all processes")
    parser.add_argument("--processes", type=int, default=1, help="each with a seed of its own")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; by default another one each time")
    arguments = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if arguments.seed is None else arguments.seed
    seconds = arguments.seconds or (7 * 86_400 if arguments.requests else 600)
    share = -(-arguments.requests // arguments.processes)
    with ThreadPoolExecutor(arguments.processes) as pool:
        passed = list(pool.map(lambda number: one(seconds, seed + number, share), range(arguments.processes)))
    return 0 if all(passed) else 1


def one(seconds: float, seed: int, requests: int) -> bool:
    """Prints what came of it; the input of a failure is kept."""
    last_input = BUILD / f"fuzz-{seed}.input"
    last_input.parent.mkdir(exist_ok=True)
    result = fuzz(seconds, seed, last_input, requests)
    sys.stdout.write(result.stdout)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.stderr.write(f"fuzz failed: seed={seed} exit={result.returncode} input={last_input}\n")
        return False
    last_input.unlink()
    return True


if __name__ == "__main__":
    sys.exit(main())
