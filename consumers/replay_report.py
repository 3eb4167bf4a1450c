"""What a replay found and did, segment by segment. Plain data: the command prints it as a table or as JSON."""

from typing import Literal

import msgspec

from forebay.errors import InvalidData

BlockState = Literal["present", "missing", "different", "compacted"]
"""`compacted`: its samples lie in another block, which is whole; it must not come back."""

SegmentState = Literal["whole", "incomplete", "missing", "stale", "open", "refused"]
"""What a replay finds.

whole       the manifest stands, and all that it names is there, compared by SHA-256
incomplete  the manifest stands, blocks are missing or different: they are built again, to the same bytes
missing     no manifest stands: the segment is built and published
stale       the manifest stands, by other settings than those now: a rebuild puts these blocks in place of its own
open        the log ends in it: left to the live group
refused     something is wrong that the log cannot mend; `reason` says what
"""


class BlockReport(msgspec.Struct, frozen=True):
    ulid: str
    tenant: str
    window: int
    samples: int
    state: BlockState
    detail: str = ""
    """Which file is not as it should be, or which block holds the samples."""

    @property
    def is_sound(self) -> bool:
        return self.state in {"present", "compacted"}


class SegmentReport(msgspec.Struct, frozen=True):
    log_id: str
    partition: int
    start: int
    end: int
    state: SegmentState
    done: bool = False
    """It was put right by this run; never in a dry run."""
    blocks: tuple[BlockReport, ...] = ()
    replaces: tuple[str, ...] = ()
    """ULIDs of the blocks that a rebuild takes out of force with this one."""
    reason: str = ""
    hint: str = ""

    @property
    def changes(self) -> int:
        """How many blocks and manifests are not in the bucket as they should be."""
        return sum(not block.is_sound for block in self.blocks) + (self.state in {"missing", "stale"})


def refused(report: SegmentReport, error: InvalidData) -> SegmentReport:
    """The report, with what is in the way."""
    return msgspec.structs.replace(report, state="refused", reason=error.args[0], hint=error.hint)
