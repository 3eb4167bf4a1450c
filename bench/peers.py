"""Every receiver under the same load in the same run, and one table: `python -m bench.peers`.

Receivers take turns, round by round; ratios are of one round, and what is printed is the median of the rounds. A peer
that is not set up is left out, and said so.
"""

import argparse
import contextlib
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from bench.chart import bars
from bench.contest import Result, run
from bench.load import Load, bodies
from bench.receivers.forebay import LABELS_ONCE, ForebayEmbedded, ForebayOnKafka
from bench.receivers.mimir import Mimir
from bench.receivers.prometheus import Prometheus
from bench.receivers.receiver import Receiver
from bench.receivers.services import Services, services
from bench.receivers.thanos import ThanosReceive
from bench.receivers.victoria_metrics import VictoriaMetrics
from bench.send import SendError
from bench.tables import name_of, results_table
from bench.values import SHAPES
from tests.peers.process import PeerError
from tests.peers.recipes import BENCH_PEERS, PEERS


@dataclass(frozen=True)
class Contestant:
    make: Callable[[Path, Callable[[], Services], int], Receiver]
    """In a directory of its own; the services are started by the first who asks; `segment.interval` in seconds."""
    needs: tuple[str, ...] = ()
    """Peers, by name."""
    message: int = 1


_KAFKA = ("kafka-4.1", "versitygw")
_EMBEDDED = {"victoria-metrics": 3.0, "prometheus": 10.0, "thanos": 6.0, "thanos-rf3": 30.0}
_ON_KAFKA = {"victoria-metrics": 2.5, "mimir-kafka": 15.0}
CONTESTANTS = {
    "forebay": Contestant(lambda place, _, slot: ForebayEmbedded(place, slot)),
    "forebay-2.0": Contestant(lambda place, _, slot: ForebayEmbedded(place, slot), message=2),
    "forebay-labels-once": Contestant(lambda place, _, slot: ForebayEmbedded(place, slot, LABELS_ONCE)),
    "forebay-kafka": Contestant(lambda place, ours, slot: ForebayOnKafka(place, ours(), slot), _KAFKA),
    "forebay-kafka-labels-once": Contestant(
        lambda place, ours, slot: ForebayOnKafka(place, ours(), slot, settings=LABELS_ONCE), _KAFKA
    ),
    "victoria-metrics": Contestant(lambda place, _, __: VictoriaMetrics(place), ("victoria-metrics",)),
    "prometheus": Contestant(lambda place, _, __: Prometheus(place), ("prometheus-3.15",)),
    "thanos": Contestant(lambda place, _, __: ThanosReceive(place), ("thanos",)),
    "thanos-rf3": Contestant(lambda place, _, __: ThanosReceive(place, 3), ("thanos",)),
    "mimir-classic": Contestant(lambda place, _, __: Mimir(place), ("mimir",)),
    "mimir-kafka": Contestant(lambda place, ours, _: Mimir(place, ours()), (*_KAFKA, "mimir")),
}
TARGETS = (
    *((ours, peer, target) for peer, target in _EMBEDDED.items() for ours in ("forebay", "forebay-labels-once")),
    ("forebay-2.0", "forebay", 1.0),
    *(
        (ours, peer, target)
        for peer, target in _ON_KAFKA.items()
        for ours in ("forebay-kafka", "forebay-kafka-labels-once")
    ),
)
"""Ratios of samples per CPU-second, services apart, that there should be."""
Rounds = Mapping[str, Sequence[Result]]


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def present(names: Sequence[str]) -> list[str]:
    """Those whose peers are set up; who is left out is said."""
    there = []
    for name in names:
        if missing := [need for need in CONTESTANTS[name].needs if not (PEERS | BENCH_PEERS)[need].present()]:
            say(f"{name} is left out; set it up with: python -m tests.peers {' '.join(missing)}")
        else:
            there.append(name)
    return there


def compete(names: Sequence[str], load: Load, repeat: int, slot: int, scratch: Path) -> Rounds:
    sent = {
        message: list(bodies(replace(load, message=message), time.time_ns() // 1_000_000))
        for message in {CONTESTANTS[name].message for name in names}
    }
    rounds: dict[str, list[Result]] = {name: [] for name in names}
    with contextlib.ExitStack() as running:
        ours = cache(lambda: running.enter_context(services(scratch / "services")))
        for number in range(repeat):
            for name in list(rounds):
                contestant = CONTESTANTS[name]
                with tempfile.TemporaryDirectory(dir=scratch) as place:
                    receiver = contestant.make(Path(place), ours, slot)
                    try:
                        result = run(receiver, replace(load, message=contestant.message), sent[contestant.message])
                    except (SendError, PeerError, OSError) as error:
                        say(f"round {number + 1}, {name} failed, and is left out: {error}: {error.__cause__}")
                        del rounds[name]
                        continue
                rounds[name].append(result)
                load_average = os.getloadavg()[0]
                say(f"round {number + 1}, {name}: {result.rate:,.0f} a CPU-second, load average {load_average:.1f}")
    return rounds


def ratios(rounds: Rounds) -> str:
    """Of the rates until stored; both of one round."""
    lines = ["| of | to | ratio, median | least and most | target |", "|---|---|---|---|---|"]
    for mine, theirs, target in TARGETS:
        if mine in rounds and theirs in rounds:
            found = sorted(a.rate / b.rate for a, b in zip(rounds[mine], rounds[theirs], strict=True))
            spread = f"{found[0]:.2f} and {found[-1]:.2f}"
            lines.append(f"| {mine} | {theirs} | {statistics.median(found):.2f} | {spread} | {target:g} |")
    return "\n".join(lines)


def header(load: Load, repeat: int) -> str:
    return (
        f"{load.series:,} series x {load.labels} labels x {load.scrapes} scrapes, values {load.values}, "
        f"medians of {repeat} rounds; {os.cpu_count()} CPUs, {platform.system()}, Python {platform.python_version()}, "
        f"load average {os.getloadavg()[0]:.1f} at the end"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=40)
    parser.add_argument("--labels", type=int, default=10, help="of each series")
    parser.add_argument("--churn", type=float, default=0.0, help="share of the series that is replaced in an hour")
    parser.add_argument("--values", choices=SHAPES, default="mixed", help="what the series measure")
    parser.add_argument("--repeat", type=int, default=3, help="rounds to take medians of")
    parser.add_argument("--slot", type=int, default=30, help="segment.interval in seconds, above what the load takes")
    parser.add_argument("--only", nargs="+", choices=list(CONTESTANTS), default=list(CONTESTANTS), metavar="NAME")
    parser.add_argument("--chart", type=Path, help="write bars of samples per CPU-second there, as SVG")
    options = parser.parse_args(arguments)
    load = Load(options.series, options.scrapes, labels=options.labels, churn=options.churn, values=options.values)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        rounds = compete(present(options.only), load, options.repeat, options.slot, Path(scratch))
    print(f"\n{header(load, options.repeat)}\n\n{results_table(list(rounds.values()))}\n\n{ratios(rounds)}\n")
    sender = max(result.sent.cpu_seconds / result.cpu_seconds for results in rounds.values() for result in results)
    print(f"the sender's CPU was at most {sender:.1%} of a receiver's; {time.monotonic() - began:.0f} s in all")
    if options.chart:
        rows = [(name_of(results), statistics.median(result.rate for result in results)) for results in rounds.values()]
        options.chart.write_text(bars("samples per CPU-second, from the socket until stored", rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
