"""The log: partitions of records with offsets and append times. Kafka and the embedded log keep one contract.

Three small protocols, one for each thing that a role does with the log. `tests/broker/contract.py` is the suite that
every implementation passes.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from forebay.errors import Fatal, Retryable

Headers = tuple[tuple[str, bytes], ...]


class NewRecord(NamedTuple):
    """A record on its way in. `value` is bytes-like and is not changed after it was handed over."""

    partition: int
    key: bytes
    value: bytes
    headers: Headers = ()


class Appended(NamedTuple):
    """Where a record of an append lies now; both are -1 where the log has it and did not say where."""

    offset: int
    append_time: int


class Record(NamedTuple):
    """A record as the log holds it.

    `append_time` is milliseconds since the epoch, given by the log, and may go back where a broker's clock does
    (docs/decisions/0013-append-time.md); offsets rise by at least one. A `damaged` record keeps its place and its
    append time, and belongs in the quarantine.
    """

    partition: int
    offset: int
    append_time: int
    key: bytes
    value: bytes
    headers: Headers = ()
    damaged: str = ""
    """Why the log could not give this record's value back, which is empty then; a sound record has "" here."""


class LogUnavailable(Retryable):
    """The log cannot take or give records now. Of an append: unknown whether it was stored."""


class LogFull(Retryable):
    """More bytes are waiting for the log than `queue_bytes`, or the log is at its size bound with unread records."""


class LogCorrupt(Fatal):
    """The log's own files are damaged beyond what it can step over; the hint names the way out."""


class LogWriter(Protocol):
    """The gateway's end. Safe to use from one event loop."""

    @property
    def log_id(self) -> str:
        """Names this log for ever: Kafka's topic UUID, or one made when an embedded log is created."""
        ...

    @property
    def partitions(self) -> int: ...

    async def append(self, records: Sequence[NewRecord]) -> list[Appended]:
        """Durable in every partition when it returns; where each of them lies, in their order.

        Raises:
            LogFull: at once, before anything was queued.
            LogUnavailable: some may be stored, some not; the whole request must be sent again.
            LogCorrupt: the log cannot go on.
        """
        ...

    def backlog_bytes(self) -> int:
        """Bytes handed over and not yet durable."""
        ...

    @property
    def problem(self) -> str:
        """Why the log takes no records now; empty while it does. Passes without an append, too. Any thread."""
        ...

    async def close(self) -> None:
        """Waits for what was handed over; may be called twice."""
        ...


class LogReader(Protocol):
    """Reads by partition and offset, beside any group. Thread-safe."""

    @property
    def log_id(self) -> str: ...

    @property
    def partitions(self) -> int: ...

    def start_offset(self, partition: int) -> int:
        """The oldest offset still there; equals `end_offset` in an empty partition."""
        ...

    def end_offset(self, partition: int) -> int:
        """One behind the newest record's offset."""
        ...

    def offset_for_time(self, partition: int, time: int) -> int:
        """The first offset still there whose record was appended at `time`, in ms, or later.

        The log's end where there is none. Exact where append times go back. Raises LogUnavailable.
        """
        ...

    def read(self, partition: int, offset: int, max_bytes: int) -> list[Record]:
        """Records from `offset` on, in order: what fits `max_bytes` of values, at least one if there is one.

        Empty at the end of the log. Where retention has removed `offset`, starts with the oldest record there is: the
        caller sees the gap in the offsets. Does not wait for new records.

        Raises:
            LogUnavailable: try again.
            LogCorrupt: these records cannot be read.
        """
        ...

    def confirm(self) -> None:
        """As `Subscription.confirm`, of what `read` returned."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...


class Listener(Protocol):
    """What a group member is told; always called from within its own `Subscription.poll` or `close`."""

    def assigned(self, partitions: Sequence[int]) -> dict[int, int]:
        """Returns the offset to start from, for each of them."""
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """Stop; another member will have them. Keep nothing."""
        ...

    def lost(self, partitions: Sequence[int]) -> None:
        """Another member has them already. Discard, commit nothing."""
        ...


class Subscription(Protocol):
    """One member of a consumer group.

    All calls from one thread, but for `position`, `committed`, `confirm` and the log's ends.
    """

    @property
    def log_id(self) -> str: ...

    def poll(self, timeout: float, max_bytes: int) -> list[Record]:
        """Records of assigned, unpaused partitions, in order within each; may call the listener.

        Waits up to `timeout` seconds for a first record. Hands out at least one record where there is one, else at most
        `max_bytes` of values. Raises LogUnavailable, LogCorrupt.
        """
        ...

    def position(self, partition: int) -> int:
        """The offset of the next record that `poll` will hand out of this assigned partition."""
        ...

    def start_offset(self, partition: int) -> int: ...

    def end_offset(self, partition: int) -> int: ...

    def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """As `end_offset` of each, for the price of one; not older than the call. Raises LogUnavailable."""
        ...

    def offset_for_time(self, partition: int, time: int) -> int:
        """As of a LogReader."""
        ...

    def seek(self, partition: int, offset: int) -> None:
        """`poll` goes on from here."""
        ...

    def pause(self, partition: int) -> None:
        """`poll` hands out nothing of it, until `resume` or until it is assigned anew."""
        ...

    def resume(self, partition: int) -> None: ...

    def commit(self, partition: int, offset: int) -> None:
        """Advisory: a hint for lag tools, for finding the end of the manifest chain, and for embedded retention."""
        ...

    def committed(self, partition: int) -> int | None: ...

    def confirm(self) -> None:
        """Every record that `poll` returned before this call is of `log_id`, where it returns.

        A topic that is deleted and made again under its name goes on giving records, of other data, to whoever reads
        it by name: what is built of records is only published once they are confirmed.

        Raises:
            Fatal: another log has taken this one's place.
            LogUnavailable: not known now.
        """
        ...

    def close(self) -> None:
        """Leaves the group; calls `revoked` for what was assigned. May be called twice."""
        ...


class GroupMember(NamedTuple):
    name: str
    """For people: a process id, or a client's id and host."""
    partitions: tuple[int, ...]
    """Ascending."""


class GroupDescription(NamedTuple):
    members: tuple[GroupMember, ...]
    committed: dict[int, int]
    """By partition; no entry where nothing was committed."""

    def owner(self, partition: int) -> str | None:
        """The member that has it; None where none has."""
        return next((member.name for member in self.members if partition in member.partitions), None)


class GroupView(Protocol):
    """Looks at a consumer group and is no part of it. Thread-safe."""

    def describe(self) -> GroupDescription:
        """As it is now; a group that nobody ever joined has no members. Blocks. Raises LogUnavailable."""
        ...

    def close(self) -> None:
        """May be called twice."""
        ...
