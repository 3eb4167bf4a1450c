"""One run: constant load, consumers that come and go by a plan, and everything checked at the end."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.forebay import audit
from tests.elastic.changes import Change, readers
from tests.elastic.cluster import Cluster, How, wait_until
from tests.elastic.holdings import Holding, holdings
from tests.elastic.sampler import Row, Sampler
from tests.elastic.senders import Failure, Load, Sender
from tests.elastic.servers import Place
from tests.elastic.verdict import load, problems

LOAD = Load(series=25_000, interval=5.0)
"""Of each sender."""


@dataclass(frozen=True)
class Plan:
    """How many consumers there are, one step after the other, each held for `hold` seconds once all of them read.

    The same number twice in a row restarts one of them.
    """

    consumers: Sequence[int] = (1, 4, 2, 3, 3, 1)
    how: How = "SIGTERM"
    static: bool = False
    hold: float = 30.0
    senders: int = 4
    load: Load = LOAD
    gateways: int = 2
    partitions: int = 32

    def __str__(self) -> str:
        return f"{'static' if self.static else 'dynamic'} members, {self.how}"


@dataclass(frozen=True)
class Result:
    plan: Plan
    changes: list[Change]
    rows: list[Row]
    holdings: list[Holding]
    failures: list[Failure]
    latencies: list[float]
    """Of all requests, ascending, in seconds."""
    latest: float
    """The most seconds that a request began after its time: what the load was short of being constant."""
    acknowledged: int
    stored: int
    """Samples in blocks."""
    blocks: int
    end: float
    """When the senders ended."""
    problems: list[str]


def run(plan: Plan, directory: Path, place: Place, say: Callable[[str], None] = lambda _text: None) -> Result:
    """`directory` is for what processes write.

    Raises TimeoutError where partitions are not consumed again, or blocks are not published.
    """
    changes: list[Change] = []
    with Cluster(directory, place.settings, static=plan.static) as cluster:
        cluster.start_gateways(plan.gateways)

        def settled() -> bool:
            reading = readers(holdings(cluster.lives()), time.time())
            return len(reading) == plan.partitions and len(set(reading.values())) == len(cluster.consumers)

        cluster.scale(plan.consumers[0])
        wait_until(settled, f"{plan.consumers[0]} consumers read all partitions", 60)
        senders = [
            Sender(number, cluster.gateways[number % plan.gateways].port, plan.load) for number in range(plan.senders)
        ]
        sampler = Sampler(cluster, senders, place.ends)
        sampler.start()
        for sender in senders:
            sender.start()
        time.sleep(plan.hold)
        for before, after in zip(plan.consumers, plan.consumers[1:], strict=False):
            at = cluster.restart(plan.how) if after == before else cluster.scale(after, plan.how)
            changes.append(Change(at, before, after))
            say(f"{plan}: {before} -> {after}")
            time.sleep(1)
            wait_until(settled, f"all partitions are read, and by everybody, after {before} -> {after}", 120)
            time.sleep(plan.hold)
        for sender in senders:
            sender.halt()
        end = time.time()
        say(f"{plan}: load ended, waiting for the blocks")
        cluster.wait_published()
        sampler.halt()
        bad_exits = [ended for ended in cluster.exit_codes if ended[2] != (0 if ended[1] == "SIGTERM" else -9)]
        held = holdings(cluster.lives())
        code, report = audit(cluster.gateways[0].settings_file, cluster.gateways[0].data, "--deep")
    say(f"{plan}: reading every block")
    stored = load(place.bucket)
    found = problems(stored, senders)
    found += [f"{name} ended with {code} on {how}" for name, how, code in bad_exits]
    if code != 0:
        found.append(f"audit --deep failed with {code}:\n{report}")
    return Result(
        plan,
        changes,
        sampler.rows,
        held,
        [failure for sender in senders for failure in sender.failures],
        sorted(latency for sender in senders for latency in sender.latencies),
        max(sender.latest for sender in senders),
        sum(sender.acknowledged for sender in senders),
        stored.samples,
        stored.blocks,
        end,
        found,
    )
