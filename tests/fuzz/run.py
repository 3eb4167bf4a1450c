"""`python -m tests.fuzz.run --seconds N`: feeds hostile bytes to the kernels, under AddressSanitizer."""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import sanitized

BUILD = sanitized.ROOT / "build"


def fuzz(seconds: float, seed: int, last_input: Path) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory)
        sanitized.assemble(tree)
        return sanitized.run(
            tree, "-m", "tests.fuzz.driver", f"--seconds={seconds}", f"--seed={seed}", f"--last-input={last_input}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; by default another one each time")
    arguments = parser.parse_args()
    seed = int.from_bytes(os.urandom(4)) if arguments.seed is None else arguments.seed
    last_input = BUILD / f"fuzz-{seed}.input"
    last_input.parent.mkdir(exist_ok=True)
    result = fuzz(arguments.seconds, seed, last_input)
    sys.stdout.write(result.stdout)
    if result.returncode:
        sys.stderr.write(result.stderr)
        sys.stderr.write(f"fuzz failed: seed={seed} exit={result.returncode} input={last_input}\n")
        return 1
    last_input.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
