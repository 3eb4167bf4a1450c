"""The open segment of one partition: a head per tenant, and what the manifest will say of it."""

import contextlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from broker.log import Record
from broker.record import is_version_2, replica_of, tenant_of, version_of
from bucket.manifest import EndedBy, Followed, Ledger, Recipe
from consumers.annotations import Annotations
from consumers.cutter import Cutter
from consumers.errors import LabelsUnknown
from consumers.following import Following
from consumers.head import HOLDS_EXEMPLARS, Bounds, Head
from forebay.errors import Fatal, InvalidData
from wire.hashing import tenant_seed

HeadFactory = Callable[[str], Head]
"""Makes the empty head of a tenant."""


class Poison(NamedTuple):
    """A record that cannot be decoded, and why."""

    record: Record
    tenant: str
    """Empty where the key is none."""
    reason: str


class UnbalancedLedger(Fatal):
    """Samples went in that are neither stored nor counted: a bug, and nothing may be published on top of it."""


class Segment:
    """Records [start, end) of one partition. Appended to by one thread; `heads` may be read from any."""

    def __init__(
        self,
        log_id: str,
        partition: int,
        start: int,
        *,
        cutter: Cutter,
        following: Following,
        new_head: HeadFactory,
        annotations: Annotations | None = None,
    ) -> None:
        """`following` is in the state that the segment before ended in, which its manifest holds.

        Exemplars and metadata of records go to `annotations`, which outlives the segment.
        """
        self.log_id = log_id
        self.partition = partition
        self.start = start
        self.heads: dict[str, Head] = {}
        self.poison: list[Poison] = []
        self.unresolved = 0
        """Those of them that name series by hashes which resolve to no labels."""
        self.records = 0
        self.memory_bytes = 0
        """Held by heads and poison records. O(1)."""
        self.first_offset = start
        self.first_append_time = 0
        self.last_append_time = 0
        self.end = start
        self.ended_by: EndedBy | None = None
        self.followed_before = following.before
        self._following = following
        self._cutter = cutter
        self._new_head = new_head
        self._annotations = annotations
        self._known: dict[str, Head] = {}
        """Heads that hold no record yet and know labels."""
        self._labels_from: int | None = None

    @property
    def labels_from(self) -> int | None:
        """L(A) of the rule on labels (docs/decisions/0021-labels-once.md).

        None where it is not known: no record of version 2 may be taken then.
        """
        return self._labels_from

    @labels_from.setter
    def labels_from(self, offset: int | None) -> None:
        self._labels_from = offset
        for head in (*self.heads.values(), *self._known.values()):
            head.forget(offset or 0)

    def inherit(self, heirs: dict[str, Head]) -> None:
        """Knows the labels of the segment before, as its `heirs` say; before any record."""
        self._known = heirs
        self.memory_bytes += sum(head.memory_bytes for head in heirs.values())

    def heirs(self, since: int) -> dict[str, Head]:
        """Copies of what was taught here at offset `since` or later, by tenant, for the next segment."""
        heads = {**self._known, **self.heads}
        heirs = {tenant: head.heir(since) for tenant, head in heads.items() if head.known}
        return {tenant: head for tenant, head in heirs.items() if head.known}

    def teach(self, record: Record) -> None:
        """Learns the labels of a record that lies before those that are to be taken; any order, again and again.

        Raises UnsupportedRecord.
        """
        if record.damaged or not is_version_2(record):
            return
        with contextlib.suppress(InvalidData):  # that one is quarantined where it belongs, and teaches nothing
            tenant = tenant_of(record)
            head = self._head(tenant)
            held = self._held(tenant)
            head.teach(record.value, record.offset)
            self._keep_known(tenant, head, held)

    @property
    def gap(self) -> tuple[int, int] | None:
        """Offsets that the log had lost before they were read."""
        return (self.start, self.first_offset) if self.first_offset > self.start else None

    @property
    def mark(self) -> int | None:
        """As `Cutter.mark`."""
        return self._cutter.mark

    @property
    def followed_after(self) -> tuple[Followed, ...]:
        """The replicas that the next segment begins with."""
        return self._following.at(self.last_append_time)

    @property
    def failovers(self) -> int:
        """As `Following.failovers`."""
        return self._following.failovers

    def ends_before(self, record: Record) -> EndedBy | None:
        """Why the record belongs to the next segment; None where it belongs to this one."""
        return self._cutter.ends_before(record.offset, record.append_time)

    def append(self, record: Record) -> EndedBy | None:
        """Takes a record that belongs; says why the segment ends behind it, or None where it goes on.

        A record that cannot be decoded is set aside with the reason, and the segment goes on.

        Raises:
            UnsupportedRecord: a newer version wrote it; the segment is as it was.
        """
        tenant = ""
        try:
            version = version_of(record)
            tenant = tenant_of(record)
            if not record.damaged:
                self._append(tenant, record, version)
            reason = record.damaged
        except InvalidData as error:
            self.unresolved += isinstance(error, LabelsUnknown)
            reason = record.damaged or str(error)
        if reason:
            self.poison.append(Poison(record, tenant, reason))
            self.memory_bytes += len(record.key) + len(record.value)
        if not self.records:
            self.first_offset = record.offset
            self.first_append_time = record.append_time
        self.records += 1
        self.end = record.offset + 1
        self.last_append_time = record.append_time
        return self._cutter.take(record.offset, record.append_time, len(record.key) + len(record.value))

    def _append(self, tenant: str, record: Record, version: int) -> None:
        head = self._head(tenant)
        held = self._held(tenant)
        replica = replica_of(record)
        try:
            if replica is None or self._following.takes(tenant, replica, record.append_time):
                holds = head.append(record.value, record.append_time, version, record.offset)
                if holds and self._annotations is not None:
                    labelled = version == 1 or not holds & HOLDS_EXEMPLARS
                    value = record.value if labelled else head.expand(record.value, record.offset)
                    self._annotations.take(tenant, value, holds)
                if replica is not None:
                    self._following.saw(tenant, replica, record.append_time)
            else:
                head.leave_out(record.value, version, record.offset)
        except InvalidData:
            self._keep_known(tenant, head, held)  # what it taught; else it leaves no empty head behind
            raise
        self._known.pop(tenant, None)
        self.heads[tenant] = head
        self.memory_bytes += head.memory_bytes - held

    def _held(self, tenant: str) -> int:
        """Bytes of its head that are in `memory_bytes`."""
        head = self.heads.get(tenant) or self._known.get(tenant)
        return head.memory_bytes if head else 0

    def _head(self, tenant: str) -> Head:
        return self.heads.get(tenant) or self._known.get(tenant) or self._new_head(tenant)

    def _keep_known(self, tenant: str, head: Head, held: int) -> None:
        if head.known:
            if tenant not in self.heads:
                self._known[tenant] = head
            self.memory_bytes += head.memory_bytes - held

    def idle_after(self, now: int, grace: int) -> bool:
        """As `Cutter.idle_after`."""
        return self._cutter.idle_after(now, grace)

    def ledger(self) -> dict[str, Ledger]:
        """What became of every sample, by tenant; once the heads are finished."""
        ledgers = {tenant: _ledger(head) for tenant, head in sorted(self.heads.items())}
        for tenant, ledger in ledgers.items():
            if not ledger.balances():
                raise UnbalancedLedger(
                    f"ledger does not balance: partition={self.partition} start={self.start} tenant={tenant} {ledger}",
                    hint="this is a bug; keep the log from offset start on and report it",
                )
        return ledgers

    def windows(self) -> Iterator[tuple[str, Head, int]]:
        """(tenant, head, window) of each block to be, ascending; once the heads are finished."""
        for tenant, head in sorted(self.heads.items()):
            for window in head.windows():
                yield tenant, head, window


def open_segment(
    log_id: str,
    partition: int,
    start: int,
    recipe: Recipe,
    followed: tuple[Followed, ...],
    *,
    annotations: Annotations | None = None,
) -> Segment:
    """An empty segment by this recipe.

    `followed` decides bytes too: what the manifest of this very segment says was followed before it, if it stands, or
    what the one before says was followed after it; empty at a chain's beginning.
    """
    bounds = Bounds(recipe.max_age, recipe.max_future, recipe.max_windows)

    def new_head(tenant: str) -> Head:
        return Head(
            seed=tenant_seed(tenant.encode()),
            window_ms=recipe.window,
            bounds=bounds,
            label_window=recipe.looks_back // 2,
        )

    return Segment(
        log_id,
        partition,
        start,
        cutter=Cutter(recipe.segment_interval, recipe.segment_max_bytes),
        following=Following(recipe.ha or None, followed),
        new_head=new_head,
        annotations=annotations,
    )


def _ledger(head: Head) -> Ledger:
    counts = head.finish()
    return Ledger(
        records=counts.records,
        samples=counts.appended,
        stored=counts.stored,
        duplicate=counts.duplicate,
        rejected={reason: samples for reason, samples in sorted(counts.rejected.items()) if samples},
        exemplars=counts.exemplars,
        metadata=counts.metadata,
        deduplicated=counts.deduplicated,
    )
