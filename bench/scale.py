"""What a sample costs as things grow: `python -m bench.scale`, a curve for series, tenants, partitions, labels, churn.

Each point is a gateway alone, from the socket to an embedded log, and then a consumer alone, from that log to published
blocks; both in CPU time for each sample, without their start and without any waiting. All but what grows stays as it
is by default.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from bench.chart import curves
from bench.load import Load, bodies
from bench.process import KIB, forebay
from bench.receivers.receiver import block_bytes, size_of
from bench.runs import wait_for_blocks, wait_for_slot, workplace
from bench.send import send, tenants_of
from forebay.chart import short
from tests.peers.process import free_port

_SAMPLES_PER_SECOND = 400_000
_REQUESTS_PER_SECOND = 1500
"""That a quiet machine takes."""
_SHARE_OF_SLOT = 0.7
"""That sending a load may take."""
_ATTEMPTS = 6
_PARTITIONS = 4


class Step(NamedTuple):
    label: str
    load: Load
    partitions: int = _PARTITIONS
    shard: int = 0
    """`limits.shard_size`: partitions of a tenant."""


@dataclass(frozen=True)
class Point:
    gateway_ns: float
    consumer_ns: float
    """Of CPU for each sample."""
    log_bytes: float
    stored_bytes: float
    """Of each sample."""
    memory_kib: float
    """Of each series, the consumer's peak as a whole."""


def axes(series: int, scrapes: int, most_series: int) -> dict[str, list[Step]]:
    """Steps by what grows. Few tenants send requests as small as many do, so that only their number differs."""
    usual = Load(series, scrapes)
    counts = [n for n in (10_000, 30_000, 100_000, 300_000, 1_000_000, 5_000_000) if n <= most_series]
    each = max(1, series // 10_000)
    return {
        "series": [Step(short(n), replace(usual, series=n)) for n in counts],
        "tenants": [
            Step(short(n), Load(each * 10_000, min(scrapes, 2), each, tenants=n), shard=1)
            for n in (1, 10, 100, 1000, 10_000)
        ],
        "partitions": [Step(str(n), usual, n) for n in (1, 4, 16, 64, 256)],
        "labels": [Step(str(n), replace(usual, labels=n)) for n in (5, 10, 20, 40)],
        "churn": [
            Step(f"{share:.0%} an hour", replace(usual, scrapes=2 * scrapes, churn=share))
            for share in (0.0, 0.25, 0.5, 1.0)
        ],
    }


class SlotPassedError(Exception):
    """The load was not sent within one slot: what lies in two segments costs more."""


def measure(step: Step, least_slot: int, record_version: int = 1) -> Point:
    """In one segment of each partition: with a longer slot where it was not. Raises SlotPassedError in the end."""
    sent = list(bodies(step.load, time.time_ns() // 1_000_000))
    seconds = step.load.samples / _SAMPLES_PER_SECOND + len(sent) / _REQUESTS_PER_SECOND
    slot = max(least_slot, int(seconds / _SHARE_OF_SLOT))
    for _ in range(_ATTEMPTS):
        try:
            return _measure(step, sent, slot, record_version)
        except SlotPassedError:
            slot *= 2
    raise SlotPassedError(f"{step.label}: not sent within {slot // 2} s")


def _measure(step: Step, sent: Sequence[bytes], slot: int, record_version: int) -> Point:
    more = {
        "broker": {"embedded": {"partitions": step.partitions}, "record_version": record_version},
        "limits": {"shard_size": step.shard} if step.shard else {},
    }
    with workplace(slot, **more) as (settings, data):
        gateway, consumer = run_apart(step.load, sent, (settings, data), slot)
        log = size_of(data / "log")
        stored = block_bytes(data / "bucket")
    samples = step.load.samples
    return Point(
        gateway.cpu_seconds / samples * 1e9,
        consumer.cpu_seconds / samples * 1e9,
        log / samples,
        stored / samples,
        consumer.memory_peak / step.load.series / KIB,
    )


@dataclass(frozen=True)
class Cost:
    cpu_seconds: float
    memory_peak: int


def run_apart(load: Load, sent: Sequence[bytes], place: tuple[Path, Path], slot: int) -> tuple[Cost, Cost]:
    """A gateway takes all; then a consumer, held still since its start, makes blocks of it, and waits for nothing.

    Raises SlotPassedError.
    """
    settings, data = place
    ports = free_port(), free_port()
    ready = [f"http://127.0.0.1:{port}/-/ready" for port in ports]
    with (
        forebay("gateway", ports[0], settings, data, data.parent / "gateway.log") as gateway,
        forebay("consumer", ports[1], settings, data, data.parent / "consumer.log") as consumer,
    ):
        gateway.wait_ready(ready[0])
        consumer.wait_ready(ready[1])
        consumer.pause()
        if slot - time.time() % slot < slot * _SHARE_OF_SLOT:
            wait_for_slot(slot)
        ends = (time.time() // slot + 1) * slot
        of_gateway, of_consumer = gateway.cpu_seconds(), consumer.cpu_seconds()
        send(ports[0], sent, tenants=tenants_of(load))
        if time.time() >= ends:
            raise SlotPassedError
        taken = Cost(gateway.cpu_seconds() - of_gateway, gateway.peak_memory())
        wait_for_slot(slot)
        consumer.resume()
        wait_for_blocks(ports[1])
        return taken, Cost(consumer.cpu_seconds() - of_consumer, consumer.peak_memory())


_HEADS = (
    "gateway, ns of CPU a sample",
    "consumer, ns of CPU a sample",
    "log, bytes a sample",
    "stored, bytes a sample",
    "consumer's peak memory, KiB a series",
)


def table(name: str, steps: Sequence[Step], points: Sequence[Point]) -> str:
    rows = [[name, *_HEADS], ["---"] * (1 + len(_HEADS))]
    for step, point in zip(steps, points, strict=True):
        rows.append(
            [
                step.label,
                f"{point.gateway_ns:,.0f}",
                f"{point.consumer_ns:,.0f}",
                f"{point.log_bytes:.1f}",
                f"{point.stored_bytes:.2f}",
                f"{point.memory_kib:.2f}",
            ]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def chart(name: str, steps: Sequence[Step], points: Sequence[Point]) -> str:
    lines = {
        "gateway": [point.gateway_ns for point in points],
        "consumer": [point.consumer_ns for point in points],
    }
    return curves(f"as {name} grow", [step.label for step in steps], {"ns of CPU a sample": lines})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    names = list(axes(1, 1, 1))
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="WHAT", help=", ".join(names))
    parser.add_argument("--series", type=int, default=100_000, help="where they are not what grows")
    parser.add_argument("--scrapes", type=int, default=20, help="2 for tenants, twice as many for churn")
    parser.add_argument("--most-series", type=int, default=1_000_000, help="where their curve ends; 5M take 16 GiB")
    parser.add_argument("--record-version", type=int, choices=[1, 2], default=1, help="broker.record_version")
    parser.add_argument("--slot", type=int, default=15, help="segment.interval in seconds, at least")
    parser.add_argument("--steps", type=int, help="only so many of each curve's first steps")
    parser.add_argument("--charts", type=Path, help="write scale-WHAT.svg into this directory")
    options = parser.parse_args(arguments)
    for name in options.only:
        steps = axes(options.series, options.scrapes, options.most_series)[name][: options.steps]
        points = []
        for step in steps:
            points.append(measure(step, options.slot, options.record_version))
            load_average = os.getloadavg()[0]
            print(f"{name} {step.label}: {points[-1]}, load average {load_average:.1f}", file=sys.stderr, flush=True)
        first = steps[0].load
        size = f"{first.scrapes} scrapes, {first.samples_per_request} samples a request"
        print(f"\n{first.series:,} series to begin with, {size}\n")
        print(table(name, steps, points), flush=True)
        if options.charts:
            (options.charts / f"scale-{name}.svg").write_text(chart(name, steps, points))
    return 0


if __name__ == "__main__":
    sys.exit(main())
