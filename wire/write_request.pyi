from array import array
from collections.abc import Callable, Iterable
from typing import NamedTuple

from typing_extensions import Buffer

from wire.relabel import RelabelRules
from wire.series_set import SeriesSet
from wire.written_labels import LabelNotes, WrittenLabels

class Rejection(NamedTuple):
    """One refused series or sample, for the answer to the sender."""

    reason: str
    series: str
    """The label set as {a="b", …}, or the metric family; shortened to 200 characters, undecodable bytes replaced."""
    timestamp: int | None

class Routed(NamedTuple):
    records: list[tuple[int, bytes]]
    """(partition, value of a record): at most `max_record_bytes` each, in the order they must be appended."""
    series: int
    samples: int
    """Accepted float samples."""
    histograms: int
    """Accepted histogram samples."""
    exemplars: int
    metadata: int
    rejected: dict[str, int]
    """Reason to count of refused samples; a series refused as a whole counts each of its samples, at least one.

    An exemplar or a metadata entry that is refused counts one.
    """
    examples: list[Rejection]
    """The first few refusals, at most `max_examples`."""
    replicas: dict[int, tuple[str, str]]
    """Of records that are of an HA replica, by index: the values of its cluster and replica labels."""
    unnamed: int
    """Series whose replica was not named, because the request holds more than 256."""
    dropped: int = 0
    """Float and histogram samples of series that relabel rules have dropped; the sender is told they were written."""
    dropped_histograms: int = 0
    """Of these, histogram samples."""
    dropped_exemplars: int = 0
    shadowed: dict[str, int] = ...
    """As `rejected`, of limits that only count."""
    parts: tuple[tuple[str, Routed], ...] = ()
    """By tenant, of a request that was divided: what is to be appended, while all else here are sums. No router's."""
    labels: LabelNotes | None = None
    """To be told where the records lie; None where no labels are left out."""
    again: Callable[[], Routed] | None = None
    """Routes the same once more, with all labels. No router's."""

REASONS: tuple[str, ...]
"""Every reason that `rejected` may name."""
LIMIT_REASONS: tuple[str, ...]
"""Those of limits, which may be made to count and refuse nothing."""

class Router:
    """The walk over a write request: validates, makes labels canonical, hashes, routes.

    What may be refused is in `REASONS`; their meaning and order is in docs/remote-write.md. Every TimeSeries entry of
    a record begins with its labels in canonical form (wire/canonical.pxd), and holds nothing but fields 1 to 4. A
    series without samples, histograms and exemplars is neither written nor refused: remote write does not forbid it,
    and there is nothing to lose. A router keeps nothing between calls: any number of threads may use it at once.
    """

    def __init__(
        self,
        partitions: int,
        *,
        max_record_bytes: int = 900 * 1024,
        max_label_pairs: int = 0,
        max_label_name_bytes: int = 0,
        max_label_value_bytes: int = 0,
        max_series_per_request: int = 0,
        max_samples_per_request: int = 0,
        max_exemplars_per_request: int = 0,
        max_histogram_buckets: int = 0,
        shadow: Iterable[str] = (),
        max_examples: int = 10,
        max_repeated_bytes: int = 32 << 20,
        cluster_label: str = "",
        replica_label: str = "",
        relabel: RelabelRules | None = None,
    ) -> None:
        """A series that does not fit `max_record_bytes` is split between samples, its labels repeated.

        Of limits, 0 is any number; of labels it is 1024, beyond which no series is taken. Of what a request may hold,
        the first so many are stored, and the others refused. A reason of LIMIT_REASONS that is in `shadow` refuses
        nothing, and is counted in `Routed.shadowed`.

        What is written again though it stands in the body once is at most `max_repeated_bytes` of a request.

        The two labels name the HA replica a series came from; both or none.

        `relabel` is carried out on each series whose labels are a set of UTF-8 names and values: before its replica
        is looked for, before its labels are counted and before `__name__` is asked for.

        Raises:
            ValueError: a setting is out of its range; at most 100 examples can be kept.
        """
    def route(
        self,
        body: Buffer,
        seed: int,
        min_time: int,
        max_time: int,
        *,
        message: int = 1,
        name_replicas: bool = False,
        shard: array[int] | None = None,
        outer_min_time: int | None = None,
        outer_max_time: int | None = None,
        active: SeriesSet | None = None,
        written: WrittenLabels | None = None,
        log_now: int = 0,
        leave_out: bool = True,
    ) -> Routed:
        """Walks one decompressed body without the GIL; good series are routed whatever the others are.

        The body is a remote-write 1.0 WriteRequest or, as `message` 2, a remote-write 2.0 Request. The same series over
        either makes the same entry in the same partition; what 1.0 has no field for keeps that of 2.0.

        `seed` is `tenant_seed(tenant)`; samples outside [min_time, max_time] (ms) are refused one by one. Memory beyond
        the records stays a small multiple of the body, whatever the body holds.

        With `name_replicas`, a series that has both labels of a replica loses the replica label before it is hashed,
        and stands in records of that replica alone. One that lacks either, or has more than 256 bytes in one, stays as
        it is.

        Series go to the partitions of `shard` (`wire.hashing.shard_of`), or to all of them.

        The outer times bound samples where the bounds of time only count; left out, they are the same.

        A series that `active` does not admit is refused. It is asked at the end, of what was accepted until then, and
        what it admits stays in it whatever becomes of the records.

        With `written`, records are of version 2, and `Routed.labels` is to be told where they lie. Labels that it knows
        are left out, as of `log_now` by the log's time; not where `leave_out` is false.

        Raises:
            ValueError: `shard` is none of this router's partitions, or `written` is of another number of them.
            BodyTooLarge: more than `max_repeated_bytes` would have to be repeated: nothing is routed.
            InvalidData: not such a message at all (truncated, wrong wire type, overlong varint, no symbol table,
                fields of the other message): nothing is routed.
            MemoryError: nothing is routed.
        """
