"""The name of a compacted block: a function of what it is merged from, and nothing else (DESIGN section 9)."""

import hashlib
import struct
from typing import NamedTuple

from compactor.plan import Labels
from tsdb import ulid

VERSION = 1
"""Raised with every change of the compactor that changes bytes."""


class CompactionIdentity(NamedTuple):
    """Everything that decides a compacted block's bytes."""

    tenant: str
    window: int
    labels: Labels
    sources: tuple[str, ...]
    """ULIDs in the order in which their samples win."""
    segment_bytes: int

    def digest(self) -> bytes:
        """SHA-256 over "compaction", VERSION, and the fields in order.

        Text is its big-endian 32-bit length and UTF-8, a number is signed 64 bits, a tuple is its length as a number
        and then its items; a label is its name and its value.
        """
        sha256 = hashlib.sha256()

        def text(value: str) -> None:
            data = value.encode()
            sha256.update(struct.pack(">I", len(data)) + data)

        def number(value: int) -> None:
            sha256.update(struct.pack(">q", value))

        text("compaction")
        number(VERSION)
        text(self.tenant)
        number(self.window)
        number(len(self.labels))
        for name, value in self.labels:
            text(name)
            text(value)
        number(len(self.sources))
        for source in self.sources:
            text(source)
        number(self.segment_bytes)
        return sha256.digest()

    def ulid(self) -> str:
        """Time part: the newest of the sources'. Random part: first 80 bits of the digest."""
        return ulid.encode(max(ulid.parse(source)[0] for source in self.sources), self.digest()[:10])
