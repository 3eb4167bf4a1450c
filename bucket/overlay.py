"""What all generations together say: which segments they replaced, and which blocks count for it."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bucket.layout import generation_key


class RebuiltRef(NamedTuple):
    """A manifest that lies in a generation, and stands in place of whatever covered its offsets before."""

    log_id: str
    partition: int
    start: int
    end: int
    generation: int

    @property
    def key(self) -> str:
        return generation_key(self.log_id, self.generation)


class Overlay:
    """A moment's picture. Never changes once it is handed out."""

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        """The last generation of each log that has any."""
        self.named: set[str] = set()
        """ULIDs of the blocks that the manifests in force here name."""
        self.retired: set[str] = set()
        """ULIDs of blocks that were named once, and are replaced."""
        self._refs: dict[tuple[str, int], list[RebuiltRef]] = {}

    def copy(self) -> "Overlay":
        """To add to before it is handed out."""
        other = Overlay()
        other.newest, other.named, other.retired = dict(self.newest), set(self.named), set(self.retired)
        other._refs = {chain: list(found) for chain, found in self._refs.items()}
        return other

    def add(
        self, log_id: str, number: int, refs: Iterable[RebuiltRef], named: Iterable[str], retired: Iterable[str]
    ) -> None:
        """The next generation of a log: it wins over the ones before. Only until the overlay is handed out."""
        self.newest[log_id] = number
        self.named.difference_update(retired)
        self.retired.update(retired)
        self.retired.difference_update(named)
        self.named.update(named)
        for ref in refs:
            found = self._refs.setdefault((ref.log_id, ref.partition), [])
            first = bisect_right(found, ref.start, key=lambda each: each.end)
            last = bisect_left(found, ref.end, key=lambda each: each.start)
            found[first:last] = [ref]

    def find(self, log_id: str, partition: int, offset: int) -> RebuiltRef | None:
        """The manifest that covers an offset; None where no generation does."""
        found = self._refs.get((log_id, partition), ())
        at = bisect_right(found, offset, key=lambda each: each.end)
        return found[at] if at < len(found) and found[at].start <= offset else None

    def refs(self, log_id: str, partition: int) -> tuple[RebuiltRef, ...]:
        """Ascending."""
        return tuple(self._refs.get((log_id, partition), ()))

    def partitions(self) -> Iterator[tuple[str, int]]:
        """Chains that any generation touches."""
        yield from self._refs
