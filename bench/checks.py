"""What checks and protocols cost the gateway: `python -m bench.checks`.

The same samples as remote-write 1.0 and 2.0, with no limit, and with every limit on and none in the way; in turns, so
that what else the machine does falls on all alike.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.__main__ import SLOT_SECONDS, say
from bench.load import Load, bodies
from bench.runs import Figures, gateway, workplace
from bench.send import HEADERS, HEADERS_2

NO_LIMITS: dict[str, Any] = {"max_label_pairs": 1024}
ALL_LIMITS: dict[str, Any] = {
    "max_label_pairs": 100,
    "max_label_name_bytes": 500,
    "max_label_value_bytes": 2000,
    "max_request_bytes": "16MiB",
    "max_series_per_request": 10_000,
    "max_samples_per_request": 10_000,
    "max_exemplars_per_request": 1000,
    "max_histogram_buckets": 160,
    "max_active_series": 10_000_000,
    "samples_per_second": 1e9,
}
"""Far above what is sent: each is looked at, and none refuses."""


class Row(NamedTuple):
    name: str
    load: Load
    headers: Mapping[str, str]
    limits: Mapping[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.checks", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=20)
    parser.add_argument("--repeat", type=int, default=5, help="rounds to take the medians of")
    options = parser.parse_args()
    one = Load(options.series, options.scrapes)
    two = Load(options.series, options.scrapes, message=2)
    told = Load(options.series, options.scrapes, message=2, metadata=True)
    rows = [
        Row("1.0, no limits", one, HEADERS, NO_LIMITS),
        Row("1.0, all limits", one, HEADERS, ALL_LIMITS),
        Row("2.0, no limits", two, HEADERS_2, NO_LIMITS),
        Row("2.0, all limits", two, HEADERS_2, ALL_LIMITS),
        Row("2.0 with metadata, no limits", told, HEADERS_2, NO_LIMITS),
    ]
    now = time.time_ns() // 1_000_000
    sent = {load: list(bodies(load, now)) for load in (one, two, told)}
    rates: dict[str, list[float]] = {row.name: [] for row in rows}
    for number in range(options.repeat):
        for row in rows:
            rates[row.name].append(_run(row, sent[row.load]).rate)
        say(
            f"round {number + 1} of {options.repeat}: "
            + ", ".join(f"{k} {v[-1] / 1000:,.0f}k" for k, v in rates.items())
        )
    print(f"{options.series:,} series x {options.scrapes} scrapes, medians of {options.repeat} rounds\n")
    print("| what | samples per CPU-second | ratio to 1.0 without limits |\n|---|---|---|")
    plain = rates[rows[0].name]
    for name, found in rates.items():
        # Ratios within a round, since the machine changes between rounds.
        ratio = statistics.median(mine / other for mine, other in zip(found, plain, strict=True))
        print(f"| {name} | {statistics.median(found):,.0f} | {ratio:.2f} |")
    return 0


def _run(row: Row, sent: list[bytes]) -> Figures:
    with workplace(SLOT_SECONDS, limits=row.limits) as (settings, data):
        return gateway(row.load, sent, settings, data, row.headers)


if __name__ == "__main__":
    sys.exit(main())
