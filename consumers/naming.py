"""The name of a block: a function of what it was built from, and nothing else (DESIGN section 5)."""

import hashlib
import struct
from typing import NamedTuple

from tsdb import ulid


class BlockIdentity(NamedTuple):
    """Everything that decides a block's bytes, given the log."""

    log_id: str
    partition: int
    start: int
    end: int
    tenant: str
    window: int
    recipe_digest: str
    followed_digest: str = ""
    """Of the replicas of HA pairs that the segment begins with; empty where there are none."""

    def digest(self) -> bytes:
        """SHA-256 over the fields in order: text as big-endian 32-bit length and UTF-8, numbers as signed 64 bits.

        An empty `followed_digest` is left out.
        """
        sha256 = hashlib.sha256()
        for field in self if self.followed_digest else self[:-1]:
            if isinstance(field, str):
                text = field.encode()
                sha256.update(struct.pack(">I", len(text)))
                sha256.update(text)
            else:
                sha256.update(struct.pack(">q", field))
        return sha256.digest()

    def ulid(self, last_append_time: int) -> str:
        """Time part: the append time of the segment's last record. Random part: first 80 bits of the digest."""
        return ulid.encode(last_append_time, self.digest()[:10])
