"""`make bench`: one table of figures, with the peer under the same load in the same run.

Ratios are what counts: machines are noisy, and every figure of a table comes from one of them within minutes.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.load import Load, bodies
from bench.runs import (
    Figures,
    consumer,
    end_to_end,
    gateway,
    replay,
    start_cost,
    times_real_time,
    victoria_metrics,
    wait_for_slot,
    workplace,
)

KIB, MIB = 1 << 10, 1 << 20
SLOT_SECONDS = 30
"""`segment.interval` of the throughput runs: several times what a run takes."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def median_run(runs: list[Figures]) -> Figures:
    """The run whose rate is the median."""
    middle = statistics.median_low([figures.rate for figures in runs])
    return next(figures for figures in runs if figures.rate == middle)


def roles(load: Load, sent: list[bytes]) -> tuple[Figures, Figures, float]:
    """The gateway alone, then the consumer alone over the log that it left, then `forebay replay`, in seconds."""
    with workplace(SLOT_SECONDS) as (settings, data):
        of_gateway = gateway(load, sent, settings, data)
        started = start_cost("consumer", settings, data.parent / "empty")
        wait_for_slot(SLOT_SECONDS)  # so that the last segment may end as soon as it is read
        return of_gateway, consumer(load, settings, data, started), replay(settings, data)


def throughput(load: Load, repeat: int) -> None:
    sent = list(bodies(load, time.time_ns() // 1_000_000))
    say(f"load: {load.series} series x {load.scrapes} scrapes in {len(sent)} requests")
    runs: dict[str, list[Figures]] = {
        "gateway: socket to log": [],
        "consumer: log to published blocks": [],
        "end to end: socket to published blocks": [],
        "VictoriaMetrics 1.79": [],
    }
    of_gateway, of_consumer, of_both, of_peer = runs.values()
    replays = []
    for number in range(repeat):
        one, two, seconds = roles(load, sent)
        replays.append(seconds)
        of_gateway.append(one)
        of_consumer.append(two)
        wait_for_slot(SLOT_SECONDS)
        with workplace(SLOT_SECONDS) as (settings, data):
            of_both.append(end_to_end(load, sent, settings, data))
        with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
            of_peer.append(victoria_metrics(load, sent, Path(scratch)))
        rates = ", ".join(f"{name} {done[-1].rate / 1000:,.0f}k" for name, done in runs.items())
        say(f"run {number + 1} of {repeat}, samples per CPU-second: {rates}")
    peer = median_run(of_peer)
    print(f"\n{load.series:,} series x {load.scrapes} scrapes, medians of {repeat} runs\n")
    print("| what | samples per CPU-second | ratio to VictoriaMetrics | p50 / p99 of a write, ms |")
    print("|---|---|---|---|")
    for name, done in runs.items():
        figures = median_run(done)
        print(f"| {name} | {figures.rate:,.0f} | {figures.rate / peer.rate:.2f} | {latency(figures)} |")
    stored = median_run(of_consumer)
    print(f"\nbytes per sample in blocks, index included: {stored.stored_bytes / stored.samples:.2f}")
    print("\na full log at a 15 s interval, again | times real time | seconds")
    for name, seconds in (("consumer", stored.wall_seconds), ("forebay replay", statistics.median_low(replays))):
        print(f"{name} | {times_real_time(load, seconds):.0f} | {seconds:.1f}")


def latency(figures: Figures) -> str:
    if figures.sent is None:
        return ""
    return f"{figures.sent.percentile(0.5) * 1000:.0f} / {figures.sent.percentile(0.99) * 1000:.0f}"


def memory(load: Load) -> None:
    sent = list(bodies(load, time.time_ns() // 1_000_000))
    wait_for_slot(2 * SLOT_SECONDS)  # all of it in one open segment
    with workplace(2 * SLOT_SECONDS) as (settings, data):
        figures = end_to_end(load, sent, settings, data)
    kib_each = [
        f"{size / load.series / KIB:.2f}"
        for size in (
            figures.memory_full - figures.memory_ready,
            figures.memory_full,
            figures.memory_peak - figures.memory_ready,
        )
    ]
    print(f"| {load.series:,} | {load.scrapes} | {' | '.join(kib_each)} | {figures.memory_full / MIB:,.0f} |")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000, help="of the throughput runs")
    parser.add_argument("--scrapes", type=int, default=40, help="of the throughput runs")
    parser.add_argument("--repeat", type=int, default=3, help="throughput runs to take the median of; 0 for none")
    parser.add_argument("--memory-series", type=int, nargs="*", default=[100_000, 1_000_000], help="of the memory runs")
    options = parser.parse_args()
    if options.repeat:
        throughput(Load(options.series, options.scrapes), options.repeat)
    if options.memory_series:
        print("\nmemory of all-in-one, 4 scrapes held in open segments, KiB per active series\n")
        print("| series | scrapes | grown since the start | whole process | peak while building, grown | whole, MiB |")
        print("|---|---|---|---|---|---|")
    for series in options.memory_series:
        memory(Load(series, 4))
    return 0


if __name__ == "__main__":
    sys.exit(main())
