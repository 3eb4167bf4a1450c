"""What is stored once the compactor is done: `python -m bench.stored`, beside a Prometheus block of the same samples.

And once more with an HA pair that sends everything twice: Forebay keeps one copy, where `ha` is on for the tenant.
A segment ends its chunks: `--slot` must be longer than sending takes, as half an hour is of 120 samples, or there are
more bytes.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.contest import run
from bench.load import Load, bodies
from bench.receivers.forebay import ForebayEmbedded
from bench.receivers.prometheus import Prometheus
from bench.values import SHAPES

_COMPACTOR = {"interval": "1s", "close_delay": "0s", "delete_delay": "1s"}
_COMPACTED_SECONDS = 600


class Compacted(ForebayEmbedded):
    """Until each window is one block, and what that was made of is gone."""

    stored_as = "one block of the window, merged by the compactor"

    def __init__(self, directory: Path, slot: int, settings: Mapping[str, Any]) -> None:
        super().__init__(directory, slot, {"compactor": _COMPACTOR, **settings})

    def finish(self) -> None:
        super().finish()
        deadline = time.monotonic() + _COMPACTED_SECONDS
        while (blocks := len(self.blocks())) != 1:
            if time.monotonic() > deadline:
                raise TimeoutError(f"there are {blocks} blocks, where one was to be left")
            time.sleep(0.5)


@dataclass(frozen=True)
class Stored:
    name: str
    load: Load
    size: int
    samples: int
    """By the blocks' own count."""


def measure(load: Load, slot: int) -> list[Stored]:
    """Of Prometheus, of Forebay, and of Forebay with a pair."""
    pair = replace(load, replicas=2)
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        place = Path(scratch)
        runs = (
            ("Prometheus 3.15, one block", load, Prometheus(place / "prometheus")),
            ("Forebay, compacted", load, Compacted(place / "single", slot, {})),
            ("Forebay, compacted, an HA pair sending", pair, Compacted(place / "pair", slot, {"ha": {"tenants": "*"}})),
        )
        found = []
        for name, each, receiver in runs:
            size = run(receiver, each, list(bodies(each, time.time_ns() // 1_000_000))).stored_bytes
            metas = [json.loads((block / "meta.json").read_text()) for block in receiver.blocks()]
            found.append(Stored(name, each, size, sum(meta["stats"]["numSamples"] for meta in metas)))
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.stored", description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--series", type=int, default=20_000)
    parser.add_argument("--scrapes", type=int, default=240, help="240 at a 15 s interval are an hour")
    parser.add_argument("--slot", type=int, default=60, help="segment.interval in seconds")
    parser.add_argument("--values", choices=SHAPES, nargs="+", default=["mixed"], help="what the series measure")
    options = parser.parse_args(arguments)
    print(
        "| values | what | stored samples, for each different one | bytes a sample, index included | to Prometheus' |"
    )
    print("|---|---|---|---|---|")
    for values in options.values:
        found = measure(Load(options.series, options.scrapes, values=values), options.slot)
        for each in found:
            cells = (
                values,
                each.name,
                f"{each.samples / each.load.samples:.4f}",
                f"{each.size / each.load.samples:.3f}",
                f"{each.size / found[0].size:.4f}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
