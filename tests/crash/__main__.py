"""`python -m tests.crash --rounds 100`: the long storm. Exit code 1 where a promise was broken."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.storm import storm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="how many times to kill the process (default: 100)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of all choices (default: the time)")
    parser.add_argument("--record-version", type=int, choices=(1, 2), default=1, help="of the log (default: 1)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="forebay-crash-") as scratch:
        began = time.monotonic()
        outcome = storm(Path(scratch), options.rounds, options.seed, options.record_version)
    print(
        f"seed {options.seed}: {outcome.kills} kills in {time.monotonic() - began:.0f} s, "
        f"{outcome.acknowledged} samples acknowledged, {outcome.uncertain} of unknown outcome, "
        f"{outcome.manifests} segments, {outcome.blocks} blocks, {outcome.without_labels} series without labels"
    )
    for problem in outcome.problems:
        print(f"PROBLEM: {problem}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
