"""What must be true after a storm; every check works from what lies in topic and bucket alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from bucket.manifest import Manifest
from tests.chaos.cluster import Cluster
from tests.crash.senders import Key
from tests.crash.storm import compare_objects, compare_samples, objects
from tests.e2e.forebay import audit
from tests.e2e.samples import Samples, load
from tests.faults.client import Client
from tests.wire.messages import WriteRequest
from tests.wire.record_v2 import decode, taught, written_out
from wire.hashing import tenant_seed

_OURS = ("forebay/segments/", "forebay/rollups/", "forebay/quarantine/")


@dataclass
class Stored:
    """What was counted on the way."""

    acknowledged: int = 0
    uncertain: int = 0
    in_log: int = 0
    blocks: int = 0
    manifests: int = 0
    quarantined: int = 0


def judge(cluster: Cluster, *, quiet: bool = True) -> tuple[Stored, list[str]]:
    """Of a cluster that has settled and stopped; `quiet` compares with an undisturbed consumer of the same topic."""
    stored = Stored()
    problems = [*cluster.problems]
    acknowledged: dict[Key, int] = {}
    uncertain: dict[Key, int] = {}
    for sender in cluster.senders:
        acknowledged |= sender.memory.acknowledged
        uncertain |= sender.memory.uncertain
        problems += [f"a good request was refused: {text}" for text in sender.memory.refused[:3]]
    bucket = cluster.fetch(cluster.bucket_name)
    manifests = list(cluster.chains())
    stored.acknowledged, stored.uncertain, stored.manifests = len(acknowledged), len(uncertain), len(manifests)
    stored.blocks = sum(len(manifest.blocks) for manifest in manifests)
    stored.quarantined = sum(len(manifest.quarantined) for manifest in manifests)
    problems += check_audit(cluster)
    problems += compare_samples(bucket, acknowledged, uncertain)
    problems += check_chains(manifests, cluster.topic.ends())
    expected = from_log(cluster, manifests)
    stored.in_log = len(expected)
    compacted = bool(cluster.cast.compactors)
    problems += compare_with_log(bucket if compacted else named(manifests, bucket), expected, compacted=compacted)
    problems += check_reading(cluster, expected)
    if quiet:
        problems += compare_with_quiet(cluster, bucket)
    return stored, problems


def check_audit(cluster: Cluster) -> list[str]:
    """`forebay audit --deep` as an operator runs it."""
    role = cluster.make_role("audit", "consumer", cluster.settings(cluster.bucket_name), "forebay")
    code, report = audit(role.settings_file, role.data, "--deep")
    return [] if code == 0 else [f"audit failed with {code}:\n{report}"]


def check_chains(manifests: list[Manifest], ends: dict[int, int]) -> list[str]:
    """Every offset of the log lies in exactly one segment, and none was said to be lost."""
    problems = []
    for partition, end in ends.items():
        at = 0
        for manifest in sorted((one for one in manifests if one.partition == partition), key=lambda one: one.start):
            if manifest.start != at:
                problems.append(f"chain of partition {partition} goes on at {manifest.start} after {at}")
            if manifest.gap:
                problems.append(f"partition {partition} claims that the log lost {manifest.gap}")
            at = manifest.end
        if at != end:
            problems.append(f"chain of partition {partition} ends at {at}, the log at {end}")
    return problems


def from_log(cluster: Cluster, manifests: list[Manifest]) -> Samples:
    """What blocks should hold: each sample of the topic, once for each segment that a record with it lies in.

    Decoded with protobuf's own runtime. Senders send a sample again with the same bits only.
    """
    poison = {(manifest.partition, record.offset) for manifest in manifests for record in manifest.quarantined}
    segments = {partition: _Segments(manifests, partition) for partition in range(cluster.topic.partitions)}
    found: dict[Key, dict[int, int]] = {}
    known: dict[bytes, dict[bytes, bytes]] = {}
    for record in cluster.topic.records():
        labels, value = known.setdefault(record.key, {}), record.value
        if record.version == b"2":
            # Whichever labels of a hash are in reach, they are these; records in quarantine teach, too.
            labels |= taught(decode(value), tenant_seed(record.key))
        if (record.partition, record.offset) in poison:
            continue
        if record.version == b"2":
            value = written_out(decode(value), labels, tenant_seed(record.key))
        segment = (record.partition, segments[record.partition].start_of(record.offset))
        for key, bits in samples_of(value):
            found.setdefault(key, {}).setdefault(hash(segment), bits)
    return {key: list(by_segment.values()) for key, by_segment in found.items()}


def named(manifests: list[Manifest], bucket: Path) -> Path:
    """The blocks that manifests name, in a directory of their own: a loser's are nobody's."""
    directory = bucket.with_name(f"{bucket.name}-named")
    directory.mkdir()
    for ulid in (block.ulid for manifest in manifests for block in manifest.blocks):
        if (bucket / ulid).exists():
            (directory / ulid).symlink_to(bucket / ulid)
    return directory


class _Segments:
    """Of one partition; asked in ascending order."""

    def __init__(self, manifests: list[Manifest], partition: int) -> None:
        self._rest = sorted((one.start, one.end) for one in manifests if one.partition == partition)

    def start_of(self, offset: int) -> int:
        while len(self._rest) > 1 and offset >= self._rest[0][1]:
            self._rest.pop(0)
        return self._rest[0][0] if self._rest else -1


def samples_of(value: bytes) -> Iterator[tuple[Key, int]]:
    request = WriteRequest()
    request.ParseFromString(value)
    for series in request.timeseries:
        labels = tuple((label.name, label.value) for label in series.labels)
        for sample in series.samples:
            yield (labels, sample.timestamp), bits_of(sample)


def bits_of(sample: object) -> int:
    """Of the value as it stands on the wire: a NaN keeps its payload."""
    raw = sample.SerializeToString()  # type: ignore[attr-defined]
    return int.from_bytes(raw[1:9], "little") if raw[:1] == b"\x09" else 0


def compare_with_log(bucket: Path, expected: Samples, *, compacted: bool) -> list[str]:
    """Each sample in as many blocks as segments have it; where blocks were merged, as read once."""
    stored = load(bucket)
    problems = []
    for what, keys in (("lacks", expected.keys() - stored.keys()), ("made up", stored.keys() - expected.keys())):
        if keys:
            problems.append(f"the bucket {what} {len(keys)} samples, such as {sorted(keys)[:3]}")
    wrong = [
        key
        for key, values in expected.items()
        if key in stored
        and (set(stored[key]) != set(values) if compacted else sorted(stored[key], key=str) != sorted(values, key=str))
    ]
    if wrong:
        problems.append(f"{len(wrong)} samples are stored otherwise, such as {[(k, stored[k]) for k in wrong[:3]]}")
    return problems


def check_reading(cluster: Cluster, expected: Samples) -> list[str]:
    """A fresh consumer on the bucket answers with each sample once."""
    settings = cluster.settings(cluster.bucket_name, consumer={"group": "reader"})
    problems = []
    with cluster.make_role("reader", "consumer", settings, "forebay") as role:
        role.ready()
        read: Samples = {}
        try:
            for sender in cluster.senders:
                read |= Client(role.url, sender.tenant).read(sender=str(sender.number))
        except (OSError, HTTPException) as error:
            return [f"a fresh consumer did not answer a read: {error!r}\n{role.tail()}"]
        role.end()
    once = {key: sorted(set(values), key=str) for key, values in expected.items()}
    if read.keys() != once.keys():
        missing, more = once.keys() - read.keys(), read.keys() - once.keys()
        problems.append(f"as read, {len(missing)} samples are missing and {len(more)} are too many")
    twice = [key for key, values in read.items() if len(values) != 1]
    if twice:
        problems.append(f"{len(twice)} samples are read more than once, such as {twice[:3]}")
    return [*problems, *role.problems]


def compare_with_quiet(cluster: Cluster, bucket: Path) -> list[str]:
    """One undisturbed consumer makes the same objects out of the same topic.

    Where a compactor was at work in the storm, blocks have gone into others. Then the manifests, which hold the names
    and digests of all blocks there were, are the same, and the samples.
    """
    settings = cluster.settings(cluster.quiet_name, consumer={"group": "quiet"})
    with cluster.make_role("quiet", "consumer", settings, "forebay") as role:
        role.ready()
        cluster.wait_published(cluster.s3.open(cluster.quiet_name), 180)
        role.end()
    quiet = cluster.fetch(cluster.quiet_name)
    if not cluster.cast.compactors:
        return [*role.problems, *compare_objects(_without_probes(bucket), _without_probes(quiet))]
    left, right = objects(bucket), objects(quiet)
    problems = [*role.problems]
    ours = {key for key in left.keys() | right.keys() if key.startswith(_OURS)}
    differ = sorted(key for key in ours if left.get(key) != right.get(key))
    if differ:
        problems.append(f"manifests or quarantine differ: {differ[:5]}")
    changed = sorted(key for key in left.keys() & right.keys() - ours if left[key] != right[key])
    if changed:
        problems.append(f"blocks of one name differ: {changed[:5]}")
    return problems


def _without_probes(bucket: Path) -> Path:
    """A probe that was cut off leaves its object; it is nobody's data."""
    for path in (bucket / "forebay" / "probes").rglob("*"):
        if path.is_file():
            path.unlink()
    return bucket
