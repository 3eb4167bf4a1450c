"""For how long a reload of overrides keeps the event loop waiting at most: `python -m bench.reload`, some seconds.

Processor time of the reloading thread between two moments in which it gives way: so the figures do not depend on what
else the machine does. Beside it what one full garbage collection costs then, which stops everybody.
"""

import argparse
import gc
import tempfile
import time
from pathlib import Path

from bench.tenants import overrides
from forebay.gateway_role import run  # noqa: F401 - all that a gateway has loaded
from forebay.overrides_apart import load_apart
from gateway.limits import LimitSettings
from gateway.policy import Policies
from gateway.settings import HaSettings
from gateway.turns import give_way

_PARTITIONS = 16


class Stretches:
    """Milliseconds of this thread's processor time between pauses."""

    def __init__(self) -> None:
        self.found: list[float] = []
        self._began = time.thread_time()

    def pause(self) -> None:
        self.found.append(1000 * (time.thread_time() - self._began))
        give_way()
        self._began = time.thread_time()

    def row(self, name: str) -> str:
        return f"| {name} | {sum(self.found):.1f} | {max(self.found):.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reload", description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    tenants = parser.parse_args().tenants
    policies = Policies(LimitSettings(), HaSettings(), _PARTITIONS)
    gc.collect()
    gc.freeze()  # as a process does when it has started
    print("| what | CPU, ms | longest without a pause, ms |\n|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="forebay-bench-") as scratch:
        file = Path(scratch) / "overrides.yaml"
        for edition in (1, 2, 3):
            file.write_text(overrides(tenants, tenants, edition))
            reading = Stretches()
            fresh = load_apart(file, LimitSettings(), reading.pause)
            print(reading.row(f"reading, {edition}"))
            replacing = Stretches()
            policies.replace(fresh, replacing.pause)
            replacing.pause()
            print(replacing.row(f"putting in force, {edition}"))
            for number in range(tenants):
                policies.of(f"tenant-{number}", _PARTITIONS)
            collecting = Stretches()
            gc.collect()
            collecting.pause()
            print(collecting.row(f"a full collection, {edition}"))


if __name__ == "__main__":
    main()
