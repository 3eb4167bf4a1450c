"""Records of version 1 beside version 2, labels once, at the gateway: `python -m bench.records`.

The same samples over either protocol into an embedded log, the gateway alone; in turns, so that what else the machine
does falls on all alike. A series' labels are written with the first scrape: with about 24 of them, as with a scrape
every 15 s and the default broker.label_window, labels weigh what they weigh in the long run.
"""

import argparse
import sqlite3
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench.__main__ import SLOT_SECONDS, say
from bench.load import Load, bodies
from bench.runs import gateway, workplace
from bench.send import HEADERS, HEADERS_2

VERSIONS = (1, 2)


class Row(NamedTuple):
    load: Load
    headers: Mapping[str, str]


def log_bytes(log: Path) -> int:
    """Of all records' values as the log holds them: compressed."""
    with sqlite3.connect(log / "log.db") as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name GLOB 'records_*'")]
        return sum(db.execute(f"SELECT total(length(value)) FROM {name}").fetchone()[0] for name in tables)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.records", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--scrapes", type=int, default=24)
    parser.add_argument("--repeat", type=int, default=3, help="rounds to take the medians of")
    options = parser.parse_args()
    rows = {
        "1.0": Row(Load(options.series, options.scrapes), HEADERS),
        "2.0": Row(Load(options.series, options.scrapes, message=2), HEADERS_2),
    }
    now = time.time_ns() // 1_000_000
    sent = {name: list(bodies(row.load, now)) for name, row in rows.items()}
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for number in range(options.repeat):
        for name, row in rows.items():
            for version in VERSIONS:
                with workplace(SLOT_SECONDS, broker={"record_version": version}) as (settings, data):
                    rate = gateway(row.load, sent[name], settings, data, row.headers).rate
                    size = log_bytes(data / "log") / row.load.samples
                found.setdefault((name, version), []).append((rate, size))
                say(f"round {number + 1} of {options.repeat}: {name}, version {version}: {rate:,.0f}, {size:.1f} B")
    print(f"{options.series:,} series x {options.scrapes} scrapes, gateway alone, medians of {options.repeat} rounds\n")
    print("| protocol | records | samples per CPU-second | ratio to version 1 | log bytes per sample |")
    print("|---|---|---|---|---|")
    for (name, version), figures in found.items():
        # Ratios within a round, since the machine changes between rounds.
        pairs = zip(figures, found[name, 1], strict=True)
        ratio = statistics.median(mine / other for (mine, _), (other, _) in pairs)
        rate, size = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"| {name} | version {version} | {rate:,.0f} | {ratio:.2f} | {size:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
