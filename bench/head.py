"""What a sample costs a consumer, by step, of records of version 1 beside version 2: `python -m bench.head`.

The same requests are routed to both, and each record goes through the steps of a consumer in turn, on one thread, in
CPU time. Ratios are what counts: both versions take turns scrape by scrape.
"""

import argparse
import random
import struct
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cramjam

from bench.router import labels_of
from consumers.head import Bounds, Head
from tests.wire.labels_oracle import label_fields, text_field, varint
from tests.wire.record_v2 import LABEL_WINDOW_MS
from wire.hashing import tenant_seed
from wire.series_set import SeriesBudget
from wire.write_request import Router
from wire.written_labels import WrittenLabels

SERIES_PER_REQUEST = 2000
SCRAPE_MS = 15_000
START = 1_700_006_400_000
SEED = tenant_seed(b"tenant")
HOUR_MS = 3_600_000


class Steps(NamedTuple):
    """CPU nanoseconds of a sample, but for the last."""

    decompress: float
    parse: float
    append: float
    seal: float
    log_bytes: float
    """Of a sample, compressed."""

    @property
    def together(self) -> float:
        return self.decompress + self.parse + self.append + self.seal


class Consuming:
    """One version's way through a head, summed up."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.head = self._new()
        self._parsed = self._new()
        """Takes every record and stores nothing of it: that is parsing, and learning."""
        self._offset = 0
        self._decompress_ns = self._parse_ns = self._append_ns = 0
        self._log_bytes = 0

    @staticmethod
    def _new() -> Head:
        return Head(seed=SEED, window_ms=2 * HOUR_MS, bounds=Bounds(HOUR_MS, HOUR_MS, 3))

    def take(self, records: Iterable[bytes], append_time: int, *, counted: bool) -> None:
        """In compressed form, as they lie in the log; series that are new are not `counted`."""
        compressed = [bytes(cramjam.snappy.compress_raw(record)) for record in records]
        self._offset += 1
        began = time.thread_time_ns()
        values = [bytes(cramjam.snappy.decompress_raw(each)) for each in compressed]
        decompressed = time.thread_time_ns()
        for value in values:
            self._parsed.leave_out(value, self.version, self._offset)
        parsed = time.thread_time_ns()
        for value in values:
            self.head.append(value, append_time, self.version, self._offset)
        appended = time.thread_time_ns()
        if counted:
            self._log_bytes += sum(map(len, compressed))
            self._decompress_ns += decompressed - began
            self._parse_ns += parsed - decompressed
            self._append_ns += appended - parsed

    def steps(self, samples: int, directory: Path) -> Steps:
        """Of `samples` that were counted; writes the block of all."""
        began = time.thread_time_ns()
        self.head.finish()
        self.head.write_block(START, directory)
        sealed = time.thread_time_ns() - began
        return Steps(
            self._decompress_ns / samples,
            self._parse_ns / samples,
            (self._append_ns - self._parse_ns) / samples,
            sealed / self.head.counts.stored,
            self._log_bytes / samples,
        )


def request(first: int, scrape: int, rng: random.Random) -> bytes:
    """Counters that rise and gauges that do not change much, one sample each."""

    def series(number: int) -> bytes:
        value = float(number * scrape % 977) if number % 2 else round(rng.gauss(number, 1), 2)
        sample = text_field(2, double_field(value) + b"\x10" + varint(START + scrape * SCRAPE_MS + number % 15_000))
        return text_field(1, label_fields(labels_of(number, replica=False).items()) + sample)

    return b"".join(series(number) for number in range(first, first + SERIES_PER_REQUEST))


def double_field(value: float) -> bytes:
    return b"\x09" + struct.pack("<d", value)


def measure(series: int, scrapes: int) -> list[Steps]:
    """Version 1, version 2. The first scrape makes the series, and is not counted."""
    rng = random.Random(0)
    router = Router(1)
    written = WrittenLabels(SeriesBudget(1 << 30), 1, LABEL_WINDOW_MS)
    both = [Consuming(1), Consuming(2)]
    offset = 0
    for scrape in range(scrapes + 1):
        now = START + scrape * SCRAPE_MS
        for first in range(0, series, SERIES_PER_REQUEST):
            body = request(first, scrape, rng)
            bounds = (now - HOUR_MS, now + HOUR_MS)
            both[0].take([value for _, value in router.route(body, SEED, *bounds).records], now, counted=scrape > 0)
            routed = router.route(body, SEED, *bounds, written=written, log_now=now)
            both[1].take([value for _, value in routed.records], now, counted=scrape > 0)
            if routed.labels is not None:
                routed.labels.learn([(offset + n, now) for n in range(len(routed.records))])
            offset += len(routed.records)
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        return [each.steps(series * scrapes, Path(scratch) / str(each.version)) for each in both]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.head", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=24)
    flags = parser.parse_args(arguments)
    one, two = measure(flags.series, flags.scrapes)
    out = [f"{flags.series} series, {flags.scrapes} scrapes; ns of CPU for a sample", ""]
    out += ["| step | version 1 | share | version 2 | share | ratio |", "|---|---|---|---|---|---|"]
    for name in ("decompress", "parse", "append", "seal"):
        first, second = getattr(one, name), getattr(two, name)
        shares = f"{first / one.together:.0%}", f"{second / two.together:.0%}"
        out.append(f"| {name} | {first:.0f} | {shares[0]} | {second:.0f} | {shares[1]} | {first / second:.2f} |")
    out.append(f"| together | {one.together:.0f} | | {two.together:.0f} | | {one.together / two.together:.2f} |")
    sizes = f"{one.log_bytes:.1f} | | {two.log_bytes:.1f} | | {one.log_bytes / two.log_bytes:.2f}"
    out.append(f"| log bytes of a sample, snappy | {sizes} |")
    sys.stdout.write("\n".join(out) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
