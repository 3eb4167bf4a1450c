"""`make senders`: Prometheus 3.15 by remote-write 1.0 and 2.0, Prometheus 2.42, and vmagent, for MINUTES each.

Gateways are restarted and killed under them, and the log goes away.

Once without limits and once with them; ends with 1 where anything is wrong.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.peers.recipes import PEERS
from tests.senders.run import PROMETHEUS, VMAGENT, Plan, Result, run
from tests.senders.verdict import problems


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.senders", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="of scraping, for each of the two runs")
    chosen = parser.parse_args()
    wrong = 0
    for limits in (False, True):
        plan = Plan(seconds=60 * chosen.minutes, limits=limits)
        with tempfile.TemporaryDirectory(prefix="forebay-senders-") as directory:
            result = run(plan, Path(directory), PEERS.__getitem__, say)
        print(f"limits {'on' if limits else 'off'}: {len(result.troubles)} troubles")
        print(table(result))
        found = problems(plan, result)
        wrong += len(found)
        print("\n".join(found) or "no problems", flush=True)
    return 1 if wrong else 0


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def table(result: Result) -> str:
    """A line for each sender: what it held, what it counted."""
    lines = ["sender   scrapes   samples  exemplars  retried  failed  dropped"]
    for name in PROMETHEUS:
        counters = result.counters[name]

        def total(end: str, counters: dict[str, float] = counters) -> float:
            return sum(value for key, value in counters.items() if key.endswith(end))

        lines.append(
            f"{name:8} {result.turns[name]:7} {len(result.held[name]):9} {len(result.exemplars[name]):10} "
            f"{total('samples_retried_total'):8g} {total('failed_total'):7g} {total('dropped_total'):8g}"
        )
    counters = result.counters[VMAGENT]
    retried = sum(value for key, value in counters.items() if "retries_count_total" in key)
    dropped = sum(value for key, value in counters.items() if "packets_dropped_total" in key)
    samples = len(result.stored.get(VMAGENT, {}))
    lines.append(f"{VMAGENT:8} {result.turns[VMAGENT]:7} {samples:9} {'-':>10} {retried:8g} {'-':>7} {dropped:8g}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
