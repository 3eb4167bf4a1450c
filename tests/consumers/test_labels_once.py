"""Version 2 records through whole consumers: blocks are a function of the log, however much of it a consumer has read.

Logs are drawn so that hashes stand on labels of every age, at and beyond the edges of what may be relied on.
"""

import random
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from broker.log import Record
from broker.record import Replica, version_of
from bucket.manifest import HaRecipe, Manifest
from bucket.memory import MemoryBucket
from consumers.lookback import Lookback
from consumers.partition import Partition
from consumers.segment import Segment
from tests.consumers.head_oracle import Entry, named, record
from tests.consumers.memory_log import MemoryLog
from tests.consumers.records_v2 import of_version_2
from tests.consumers.rehearsal import SLOT, START, Rehearsal, Samples, objects, stored
from tests.consumers.replaying import replay
from tests.wire import record_v2
from tests.wire.messages import WriteRequest
from tsdb.chunk import Labels
from wire.hashing import tenant_seed

WINDOW = SLOT // 4
UNRESOLVED, MALFORMED = b"unresolved", b"malformed"
SERIES = [named(job=f"j{number}") for number in range(6)]
Breaks = Callable[[pytest.MonkeyPatch], None]
TENANTS = (b"tenant", b"other")
PARTITIONS = 2


def drawn(seed: int, records: int = 120) -> MemoryLog:
    """A log of both versions, as of several gateways: times go back now and then, and some records are no record."""
    chance = random.Random(seed)
    log = MemoryLog(partitions=PARTITIONS)
    at = START
    for number in range(records):
        at += chance.choice([0, 1, 500, 2000, 4000, 4000, WINDOW, 2 * WINDOW])
        append_time = at - (chance.choice([0, WINDOW // 2, WINDOW]) if chance.random() < 0.1 else 0)
        partition, tenant = chance.randrange(PARTITIONS), chance.choice(TENANTS)
        entries = [
            Entry(labels, [(append_time - chance.randrange(5000), number)]) for labels in chance.sample(SERIES, 3)
        ]
        if chance.random() < 0.1:
            log.append(partition, record(entries), append_time, tenant=tenant)
            continue
        replica = Replica("eu", chance.choice("ab")) if chance.random() < 0.2 else None
        labelled = [entry for entry in entries if chance.random() < 0.3]
        rest = [entry for entry in entries if entry not in labelled]
        cut = chance.randrange(len(rest) + 1)
        value = of_version_2(labelled, rest[:cut], rest[cut:], label_window=WINDOW, seed=tenant_seed(tenant))
        if chance.random() < 0.05:
            value = value[:-1]
        log.append(partition, value, append_time, tenant=tenant, replica=replica, version=2)
    return log


def world_of(log: MemoryLog, directory: Path) -> Rehearsal:
    world = Rehearsal(log, MemoryBucket(), directory)
    world.label_window = WINDOW
    world.max_bytes(6000)  # segments end within a slot, too
    world.ha = HaRecipe(failover_timeout=WINDOW, max_clusters=4)
    return world


class Expected(NamedTuple):
    samples: Samples
    quarantined: list[int]
    deduplicated: int


def expected(log: MemoryLog, manifest: Manifest) -> Expected:
    """What docs/decisions/0021-labels-once.md says of one segment, by going through the log from its beginning."""
    records = log.partitions[manifest.partition]
    first = next(each for each in records if each.offset >= manifest.start)
    start = next(each.offset for each in records if each.append_time >= first.append_time - 2 * WINDOW)
    known: dict[tuple[bytes, bytes], bytes] = {}
    followed = {each.tenant: each for each in manifest.followed_before}
    following = {tenant: (each.replica, each.seen) for tenant, each in followed.items()}
    samples: Samples = {}
    quarantined: list[int] = []
    deduplicated = 0
    for each in records:
        if not start <= each.offset < manifest.end:
            continue
        plain = each.value if version_of(each) == 1 else written_out(each, known)
        if each.offset < manifest.start:
            continue
        name, tenant = dict(each.headers).get("forebay-replica", b"").decode(), each.key.decode()
        if name and plain != MALFORMED:
            current, seen = following.get(tenant, (name, each.append_time))
            if current != name and each.append_time - seen <= WINDOW:
                deduplicated += 3
                continue
        if plain in {UNRESOLVED, MALFORMED}:
            quarantined.append(each.offset)
            continue
        if name:
            following[tenant] = (name, each.append_time)
        for labels, timestamp, bits in floats(plain):
            samples.setdefault((tenant, labels, timestamp), bits)
    return Expected(samples, quarantined, deduplicated)


def written_out(each: Record, known: dict[tuple[bytes, bytes], bytes]) -> bytes:
    """As version 1, and what it teaches into `known`; or what is wrong with it."""
    seed = tenant_seed(each.key)
    try:
        whole = record_v2.decode(each.value)
    except record_v2.Malformed:
        return MALFORMED
    known.update({(each.key, name): labels for name, labels in record_v2.taught(whole, seed).items()})
    own = {name: labels for (tenant, name), labels in known.items() if tenant == each.key}
    try:
        return record_v2.written_out(whole, own, seed)
    except KeyError:
        return UNRESOLVED


def floats(value: bytes) -> Iterator[tuple[Labels, int, int]]:
    for series in WriteRequest.FromString(value).timeseries:
        labels = tuple((label.name, label.value) for label in series.labels)
        for sample in series.samples:
            bits = int.from_bytes(struct.pack(">d", sample.value), "big")
            yield labels, sample.timestamp, bits


def check(seed: int, directory: Path) -> int:
    """Every way to the same objects, and the oracle's; how many records did not resolve."""
    log = drawn(seed)
    warm = world_of(log, directory / "warm")
    warm.run()
    found = objects(warm.bucket)
    cold = world_of(log, directory / "cold")
    chance = random.Random(seed)
    for _ in range(6):  # killed wherever it is, with whatever is open or on its way
        cold.run(batch=chance.randrange(1, 9), stop_after=chance.randrange(1, 30))
    cold.run(batch=50)
    assert objects(cold.bucket) == found
    replica = world_of(log, directory / "replica")
    replica.run(batch=1)
    assert objects(replica.bucket) == found
    replayed = world_of(log, directory / "replay")
    assert all(report.state == "missing" and report.done for report in replay(replayed))
    assert objects(replayed.bucket) == found
    for key in [key for key in found if "/chunks/" in key]:
        replayed.bucket.delete(key)
    replay(replayed)
    assert objects(replayed.bucket) == found
    unresolved = 0
    for partition in range(PARTITIONS):
        for manifest in warm.chain(partition):
            said = expected(log, manifest)
            assert [each.offset for each in manifest.quarantined] == said.quarantined
            read = stored(warm.bucket, [manifest], directory / f"read-{partition}-{manifest.start}")
            assert read == said.samples
            assert sum(each.deduplicated for each in manifest.ledger.values()) == said.deduplicated
            unresolved += sum("resolves to no labels" in each.reason for each in manifest.quarantined)
    return unresolved


def check_all(directory: Path) -> None:
    for seed in range(6):
        check(seed, directory / str(seed))


@pytest.mark.parametrize("seed", range(6))
def test_blocks_are_those_of_the_rule_whoever_builds_them(tmp_path: Path, seed: int) -> None:
    assert check(seed, tmp_path)


def never_looks_back(broken: pytest.MonkeyPatch) -> None:
    """A cold start takes what it knows for all there is."""
    broken.setattr(Lookback, "told", lambda *_: True)


def forgets_nothing(broken: pytest.MonkeyPatch) -> None:
    """Whoever has read for long resolves what others cannot."""
    broken.setattr(Segment, "labels_from", property(lambda _: 0, lambda *_: None))


def looks_half_as_far(broken: pytest.MonkeyPatch) -> None:
    init = Lookback.__init__
    broken.setattr(Lookback, "__init__", lambda self, distance: init(self, distance // 2))


def takes_times_for_rising(broken: pytest.MonkeyPatch) -> None:
    """The last record that reached the time, not the first."""

    def start(self: Lookback, offset: int, append_time: int) -> int | None:
        wanted = append_time - self.distance
        return next((at for at, time in zip(self._offsets, self._times, strict=True) if time > wanted), offset)

    broken.setattr(Lookback, "start", start)


def inherits_nothing(broken: pytest.MonkeyPatch) -> None:
    broken.setattr(Segment, "heirs", lambda *_: {})


def refused_records_teach_nothing(broken: pytest.MonkeyPatch) -> None:
    """Nor do those of a lookback."""
    broken.setattr(Segment, "_keep_known", lambda *_: None)


def knows_after_adopting(broken: pytest.MonkeyPatch) -> None:
    """An offset that was asked for is that of another segment."""
    broken.setattr(Partition, "_forget_labels", lambda self: self._lookback.restart(self.position, -(1 << 62)))


BROKEN = [
    never_looks_back,
    forgets_nothing,
    looks_half_as_far,
    takes_times_for_rising,
    inherits_nothing,
    refused_records_teach_nothing,
    knows_after_adopting,
]


@pytest.mark.parametrize("breaks", BROKEN)
def test_a_broken_reader_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breaks: Breaks) -> None:
    breaks(monkeypatch)
    with pytest.raises(AssertionError):
        check_all(tmp_path)
