"""What must be true at the end: every acknowledged sample is in a block, once, with its bits; nothing else is."""

from array import array
from collections.abc import Sequence
from pathlib import Path

from tests.e2e.samples import blocks_in
from tests.elastic.senders import Sender, value_of
from tsdb.block_files import LocalBlock
from tsdb.block_reader import BlockReader
from tsdb.chunks import decode_floats

Key = tuple[int, int]
"""Sender and index of a series."""


class Stored:
    """All samples of a bucket, by series."""

    def __init__(self) -> None:
        self.samples = 0
        self.blocks = 0
        self._times: dict[Key, array[int]] = {}
        self._bits: dict[Key, array[int]] = {}

    def add(self, key: Key, times: "array[int]", bits: "array[int]") -> None:
        self.samples += len(times)
        self._times.setdefault(key, array("q")).extend(times)
        self._bits.setdefault(key, array("Q")).extend(bits)

    def of(self, key: Key) -> list[tuple[int, int]]:
        """(time, bits), ascending."""
        return sorted(zip(self._times.get(key, ()), self._bits.get(key, ()), strict=True))

    def keys(self) -> set[Key]:
        return set(self._times)


def load(bucket: Path) -> Stored:
    """Reads every block below a directory."""
    stored = Stored()
    for path in blocks_in(bucket):
        stored.blocks += 1
        for labels, chunks in BlockReader(LocalBlock(path)).series():
            named = dict(labels)
            for chunk in chunks:
                stored.add((int(named[b"sender"]), int(named[b"index"])), *decode_floats(chunk.data))
    return stored


def expected(sender: Sender, part: int, index: int) -> list[tuple[int, int]]:
    """(time, bits) of the acknowledged samples of a series."""
    bits = array("Q")
    bits.frombytes(array("d", [value_of(index, scrape) for scrape in sender.taken[part]]).tobytes())
    return list(zip((sender.time_ms(scrape) for scrape in sender.taken[part]), bits, strict=True))


def problems(stored: Stored, senders: Sequence[Sender]) -> list[str]:
    """Empty where all is as it must be; of a kind of problem the first few are named.

    Requests of unknown outcome would leave samples that nobody acknowledged: they are a problem of their own.
    """
    found = [f"sender {sender.number} gave {sender.unknown} requests up" for sender in senders if sender.unknown]
    wrong: list[str] = []
    known: set[Key] = set()
    for sender in senders:
        for part, series in enumerate(sender.parts):
            for index in series:
                key = (sender.number, index)
                known.add(key)
                there, wanted = stored.of(key), expected(sender, part, index)
                if there != wanted:
                    lost, extra = set(wanted) - set(there), set(there) - set(wanted)
                    wrong.append(
                        f"series={key} acknowledged={len(wanted)} stored={len(there)} lost={sorted(lost)[:3]} "
                        f"never sent={sorted(extra)[:3]}"
                    )
    if wrong:
        found.append(f"{len(wrong)} series are not as they were sent: {'; '.join(wrong[:3])}")
    if strangers := stored.keys() - known:
        found.append(f"series that nobody sent: {sorted(strangers)[:3]}")
    return found
