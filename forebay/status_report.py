"""What `forebay status` found. Plain data: the command prints it as tables or as JSON."""

import msgspec

from bucket.manifest import Manifest


class OpenSegment(msgspec.Struct, frozen=True):
    """What lies between the last manifest and the log's end, as far as somebody knows."""

    start: int
    since: int | None
    """Append time of its first record, ms."""
    records: int | None = None
    """This and those below: as the consumer says that holds it; None where none answered."""
    samples: int | None = None
    series: int | None = None
    memory_bytes: int | None = None
    sealing: bool | None = None
    """Whether part of it has ended, and is being published."""


class LastManifest(msgspec.Struct, frozen=True):
    start: int
    end: int
    ended_by: str
    last_append_time: int
    blocks: int
    samples: int

    @classmethod
    def of(cls, manifest: Manifest) -> "LastManifest":
        return cls(
            start=manifest.start,
            end=manifest.end,
            ended_by=manifest.ended_by,
            last_append_time=manifest.last_append_time,
            blocks=len(manifest.blocks),
            samples=sum(block.samples for block in manifest.blocks),
        )


class PartitionReport(msgspec.Struct, frozen=True):
    partition: int
    owner: str | None
    """The member of the group that has it."""
    start_offset: int
    end_offset: int
    committed: int | None
    position: int | None
    """Where the consumer reads on; None where none answered."""
    lag: int | None
    """Records not yet taken; None as above."""
    lag_seconds: float | None
    """Since the first of them was appended."""
    published: int | None
    """Where the manifests end; where the bucket does not answer, what the group has committed, if it has."""
    by_manifest: bool
    """Which of the two it is."""
    unpublished: int
    """Records behind that."""
    unpublished_seconds: float
    open: OpenSegment | None
    """None where nothing waits."""
    last_manifest: LastManifest | None
    failing: str = ""


class ConsumerReport(msgspec.Struct, frozen=True):
    """One that was asked."""

    url: str
    problem: str = ""
    """Why it did not answer; the rest says nothing then."""
    role: str = ""
    version: str = ""
    ready: bool = False
    objections: tuple[str, ...] = ()
    partitions: tuple[int, ...] = ()
    records: int = 0
    samples: int = 0
    series: int = 0
    memory_bytes: int = 0
    sealing: int = 0
    paused: int = 0


class Problem(msgspec.Struct, frozen=True):
    """Something to do something about."""

    where: str
    message: str
    hint: str


class StatusReport(msgspec.Struct, frozen=True):
    at: int
    """When it was looked, ms."""
    log_id: str
    group: str
    bucket: str
    partitions: tuple[PartitionReport, ...]
    consumers: tuple[ConsumerReport, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems
