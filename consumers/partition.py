"""One assigned partition: the open segment, the one before it that is being sealed, and where to read on."""

from collections.abc import Callable

from broker.log import Record
from broker.record import is_version_2
from bucket.manifest import LABEL_WINDOW, EndedBy, Followed, Manifest
from consumers.head import Head
from consumers.lookback import Lookback
from consumers.retry import Backoff
from consumers.sealing import Sealing
from consumers.segment import Segment
from consumers.status import HeldRejections, PartitionStatus

BEFORE_TIME = -(1 << 62)


class Partition:
    """Driven by the consumer's one thread.

    At most two segments are held: while one is sealing the next may open; where that one ends too, it waits, and so do
    the log's records. So manifests of a partition are created strictly in order.
    """

    def __init__(
        self,
        number: int,
        open_segment: Callable[[int, int, tuple[Followed, ...]], Segment],
        seal: Callable[[Segment], Sealing],
        backoff: Backoff,
        *,
        looks_back: int = 2 * LABEL_WINDOW,
    ) -> None:
        """`looks_back` is the recipe's."""
        self.number = number
        self.position = 0
        """The offset of the next record to take."""
        self.last: Manifest | None = None
        """The newest manifest of the chain that is known here."""
        self.located = False
        """Whether the end of the chain is known; before that no record is taken."""
        self.adrift = False
        """Whether the subscription must seek to `position` before a record is taken."""
        self.paused = False
        self.failing = ""
        """Why the end of the chain could not be found."""
        self.backoff = backoff
        self.retry_at = 0.0
        """Monotonic seconds before which it is not looked for again."""
        self.assigned_at = 0.0
        """Monotonic seconds."""
        self.goal: int | None = None
        """Where the log ended when the chain's end was found, until `position` is there."""
        self.end_offset = 0
        """As last observed."""
        self.taken_time: int | None = None
        """Append time of the last record that was taken, here or into the newest manifest."""
        self.open: Segment | None = None
        self.sealing: Sealing | None = None
        self.wanted_time: int | None = None
        """The time whose offset the log must tell before the next record can be taken: `look_back`."""
        self._learn_until: int | None = None
        """Records before this offset are read for their labels alone, because those behind it rely on them."""
        self._lookback = Lookback(looks_back)
        self._heirs = dict[str, Head]()
        self._heirs_bytes = 0
        """What the next segment begins with: the labels that it may rely on."""
        self._followed: tuple[Followed, ...] = ()
        self._open_segment = open_segment
        self._seal = seal

    @property
    def waiting(self) -> bool:
        """The open segment has ended, and the one before it is not published yet."""
        return self.open is not None and self.open.ended_by is not None

    @property
    def segments(self) -> list[Segment]:
        """Those whose samples are not known to be in the bucket."""
        segment, sealing = self.open, self.sealing  # in this order: see _seal_next
        found = [sealing.segment] if sealing else []
        return found if segment is None or segment in found else [*found, segment]

    @property
    def memory_bytes(self) -> int:
        return self._heirs_bytes + sum(segment.memory_bytes for segment in self.segments)

    @property
    def learning(self) -> bool:
        """Whether records from before the open segment are read for their labels, or are about to be."""
        return self._learn_until is not None or self.wanted_time is not None

    def status(self) -> PartitionStatus:
        """May be called from any thread."""
        segments, segment, sealing, last = self.segments, self.open, self.sealing, self.last
        heads = [head for held in segments for head in list(held.heads.values())]
        return PartitionStatus(
            partition=self.number,
            position=self.position,
            end_offset=self.end_offset,
            lag=max(0, self.end_offset - self.position),
            taken_time=self.taken_time,
            open_start=segment.start if segment else None,
            oldest_append_time=next((held.first_append_time for held in segments if held.records), None),
            records=sum(held.records for held in segments),
            samples=sum(head.counts.appended for head in heads),
            series=sum(head.series for head in heads),
            memory_bytes=sum(held.memory_bytes for held in segments),
            sealing=sealing is not None,
            paused=self.paused,
            failing=self.failing or (sealing.failing if sealing else ""),
            last_end=last.end if last else None,
            last_append_time=last.last_append_time if last else None,
            last_blocks=len(last.blocks) if last else 0,
        )

    def rejections(self) -> list[HeldRejections]:
        """Of segments that are not published yet. May be called from any thread."""
        return [
            HeldRejections(
                self.number, held.start, tenant, reason, samples, held.first_append_time, held.last_append_time
            )
            for held in self.segments
            for tenant, head in list(held.heads.items())
            for reason, samples in head.counts.rejected.items()
        ]

    def locate(self, last: Manifest | None, end_offset: int) -> None:
        """The chain's end is known: go on behind it, or from the first offset that any log has."""
        self.last = last
        self.taken_time = last.last_append_time if last else None
        self.goal = self.end_offset = end_offset
        self.position = last.end if last else 0
        self._followed = last.followed_after if last else ()
        self._forget_labels()
        self.located = True
        self.failing = ""

    def take(self, record: Record) -> bool:
        """False where no segment may open for the record yet: it must be read again later, from `position`.

        Raises UnsupportedRecord.
        """
        if self.waiting:
            return False
        segment = self.open
        if segment is not None and (ended := segment.ends_before(record)):
            if not self.end(ended):
                return False
            segment = None
        if segment is None:
            segment = self.open = self._open_segment(self.number, self.position, self._followed)
            segment.inherit(self._heirs)
            self._keep({})
        if not segment.records:
            segment.labels_from = self._lookback.start(record.offset, record.append_time)
        if segment.labels_from is None and is_version_2(record):
            first = segment.first_append_time if segment.records else record.append_time
            self.wanted_time = first - self._lookback.distance
            return False
        ended = segment.append(record)
        self._lookback.saw(record.offset, record.append_time)
        self.position = record.offset + 1
        self.taken_time = record.append_time
        if ended:
            self.end(ended)
        return True

    def look_back(self, offset: int) -> None:
        """`offset` is the first that was appended at `wanted_time` or later, as the log says.

        Where labels from there on are not known, reading goes on there; `adrift` says so already.
        """
        segment, wanted = self.open, self.wanted_time
        if segment is None or wanted is None:
            raise ValueError(f"nothing was asked for: partition={self.number}")
        self.wanted_time = None
        offset = min(offset, segment.first_offset if segment.records else self.position)  # those may be gone by now
        segment.labels_from = offset
        if not self._lookback.told(offset, wanted):
            self._learn_until, self.position = self.position, offset

    def learn(self, record: Record) -> bool:
        """Takes a record for its labels alone; False where it is one to take. Raises UnsupportedRecord."""
        if self._learn_until is None or self.open is None:
            return False
        if record.offset >= self._learn_until:
            self.position, self._learn_until = self._learn_until, None
            return False
        self.open.teach(record)
        self._lookback.saw(record.offset, record.append_time)
        self.position = record.offset + 1
        return True

    def end(self, ended_by: EndedBy) -> bool:
        """The open segment has ended. True where it is sealed at once, False where it waits for the one before it."""
        if self.open is None:
            raise ValueError(f"no segment is open: partition={self.number}")
        self.open.ended_by = ended_by
        self._followed = self.open.followed_after
        self._keep(self.open.heirs(self._lookback.trim(self.open.last_append_time)))
        self._seal_next()
        return self.open is None

    def settle(self, standing: Manifest) -> None:
        """The segment being sealed is done, as this manifest says, which may be another's.

        One that ends elsewhere, or followed other replicas up to the same end, moves `position` there, and takes the
        open segment with it.
        """
        if self.sealing is None:
            raise ValueError(f"no segment is being sealed: partition={self.number}")
        ours = self.sealing.segment
        if (standing.end, standing.followed_after) != (ours.end, ours.followed_after):
            self.open = None
            self.position = standing.end
            self._followed = standing.followed_after
            self._forget_labels()
            self.adrift = True
        self.last = standing
        self.sealing = None
        self._seal_next()

    def discard(self) -> Sealing | None:
        """Keeps nothing; returns what is still on its way, abandoned."""
        sealing, self.sealing, self.open = self.sealing, None, None
        self._keep({})
        if sealing is not None:
            sealing.abandon()
        return sealing

    def _keep(self, heirs: dict[str, Head]) -> None:
        self._heirs = heirs
        self._heirs_bytes = sum(head.memory_bytes for head in heirs.values())

    def _forget_labels(self) -> None:
        """Of what lies before `position` nothing is known, but where there is nothing."""
        self._keep({})
        self._learn_until = self.wanted_time = None
        self._lookback.restart(self.position, None if self.position else BEFORE_TIME)

    def _seal_next(self) -> None:
        if self.waiting and self.sealing is None and self.open is not None:
            # Readers in other threads look at `open` first: they may see the segment twice, never not at all.
            self.sealing = self._seal(self.open)
            self.open = None
