"""`python -m tests.chaos --events 200`: the long storm. Exit code 1 where a promise was broken."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.bucket.s3_servers import versitygw_server
from tests.chaos.cluster import Cast
from tests.chaos.schedule import LONG, schedule
from tests.chaos.storm import storm
from tests.peers.kafka import KafkaBroker
from tests.peers.recipes import PEERS


def tell(text: str) -> None:
    """At once, also into a file."""
    print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=LONG.events, help=f"how many (default: {LONG.events})")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the plan (default: the time)")
    parser.add_argument(
        "--minutes", type=float, help="over which the events begin; default: 4.5 s from one to the next"
    )
    parser.add_argument("--outage", type=float, default=LONG.outage, help="longest outage in seconds (default: 120)")
    parser.add_argument("--compactor", action="store_true", help="with a compactor, and blocks compared as read")
    parser.add_argument("--record-version", type=int, choices=(1, 2), default=1, help="of the log (default: 1)")
    parser.add_argument("--plan", action="store_true", help="show the plan and end")
    parser.add_argument("--keep", type=Path, help="leave everything in this directory")
    options = parser.parse_args()
    gap = options.minutes * 60 / options.events if options.minutes else LONG.gap
    tempo = LONG._replace(gap=gap, outage=options.outage, events=options.events)
    cast = Cast(compactors=int(options.compactor), interval="3s", record_version=options.record_version)
    seed = options.seed
    events = schedule(seed, cast, tempo)
    if options.plan:
        for event in events:
            print(f"{event.at:8.1f} s  {event}")
        return 0
    with tempfile.TemporaryDirectory(prefix="forebay-chaos-") as scratch:
        directory = options.keep or Path(scratch)
        with (
            KafkaBroker(PEERS["kafka-4.1"], directory / "kafka") as kafka,
            versitygw_server(PEERS["versitygw"], directory / "s3") as s3,
        ):
            outcome = storm(directory / "storm", kafka, s3, cast=cast, events=events, seed=seed, tell=tell)
    stored = outcome.stored
    print(
        f"seed {seed}: {outcome.events} events, {outcome.seconds:.0f} s in all; {stored.acknowledged} samples "
        f"acknowledged, {stored.uncertain} of unknown outcome, {stored.in_log} in the log; "
        f"{stored.manifests} segments, {stored.blocks} blocks, {stored.quarantined} records in quarantine"
    )
    print("met: " + ", ".join(f"{count} {what}" for what, count in outcome.seen.items()))
    for problem in outcome.problems:
        print(f"PROBLEM: {problem}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
