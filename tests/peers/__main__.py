"""Sets up every peer that the tests use, or those that are named; `python -m tests.peers [NAME ...]`.

What cannot be had is said and left out on a laptop, where its tests skip; with CI=true it is an error.
"""

import os
import sys
import time

from tests.peers.recipes import BENCH_PEERS, CACHE, PEERS, PeerMissingError


def main(names: list[str]) -> int:
    missing, known = 0, PEERS | BENCH_PEERS
    for name in names or PEERS:
        began = time.monotonic()
        if known[name].present():
            continue
        print(f"peer {name}: setting up in {CACHE} ...", file=sys.stderr, flush=True)
        try:
            known[name].install()
        except PeerMissingError as error:
            missing += 1
            print(f"peer {name}: missing, its tests will skip: {error}", file=sys.stderr, flush=True)
        else:
            print(f"peer {name}: ready after {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
