"""Which blocks to merge next. Pure."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from bucket.blocks import Block, superseded
from compactor.settings import WINDOW
from tsdb import ulid

Labels = tuple[tuple[str, str], ...]


class Job(NamedTuple):
    """Blocks of one tenant's window that become one block."""

    tenant: str
    window: int
    labels: Labels
    """External labels, which all of them have; ascending by name."""
    sources: tuple[Block, ...]
    """In the order in which their samples win."""


class _Stream(NamedTuple):
    window: int
    tenant: str
    labels: Labels


def find_covers(live: Iterable[Block]) -> dict[str, str]:
    """Of each block whose samples all lie in another live block, that block's ULID."""
    return {ulid: cover for blocks in _streams(live).values() for ulid, cover in superseded(blocks).items()}


def plan(live: Iterable[Block], covered: Collection[str], now_ms: int, close_delay: int) -> list[Job]:
    """A job for each stream and closed window in which more than one block is not covered; the oldest windows first.

    Blocks with different external labels are different streams and never merged. What comes into a window after it was
    compacted makes a new job, of the output and the newcomers.
    """
    jobs = []
    streams = _streams(block for block in live if block.ulid not in covered)
    for (window, tenant, labels), blocks in sorted(streams.items()):
        if len(blocks) > 1 and window + WINDOW + close_delay <= now_ms:
            jobs.append(Job(tenant, window, labels, in_order(blocks)))
    return jobs


def in_order(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The order in which samples of one series and time win: what was stored first stands, as within a segment.

    Outputs are first: the segments in them were published before any that is not. Segments follow by the append time of
    their last record, but those of one partition always by offset, even where a broker's clock went back.
    """
    outputs, segments = [], []
    for block in blocks:
        if block.segment is None:
            outputs.append(block)
        else:
            origin = block.segment
            segments.append(((origin.log_id, origin.partition), origin.start, block.ulid, block))
    newest: dict[tuple[str, int], int] = {}
    timed = []
    for partition, start, name, block in sorted(segments, key=lambda segment: segment[:3]):
        newest[partition] = max(newest.get(partition, 0), ulid.parse(name)[0])
        timed.append((newest[partition], partition, start, name, block))
    return (
        *sorted(outputs, key=lambda block: block.ulid),
        *(block for *_, block in sorted(timed, key=lambda segment: segment[:4])),
    )


def _streams(blocks: Iterable[Block]) -> dict[_Stream, list[Block]]:
    streams: dict[_Stream, list[Block]] = {}
    for block in blocks:
        if block.is_live and block.resolution == 0:
            stream = _Stream(block.window, block.tenant, tuple(sorted(block.labels.items())))
            streams.setdefault(stream, []).append(block)
    return streams
