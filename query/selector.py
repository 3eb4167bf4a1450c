"""Series of one tenant from heads and bucket, merged: what a query sees."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from bucket.bucket import ObjectNotFound
from forebay.errors import InvalidData, Retryable
from query.heads import Heads
from query.memory import Holding
from tsdb.chunk import Chunk, Labels
from tsdb.chunks import Samples, decode_range
from tsdb.matcher import Matcher

_ATTEMPTS = 3


class BlockSource(Protocol):
    """The bucket's blocks, whoever lists and opens them."""

    def select(
        self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int
    ) -> Iterator[tuple[Labels, list[Chunk]]]:
        """Series of all readable blocks, older blocks first. Raises ObjectNotFound where one vanished meanwhile."""
        ...


class TooManySamples(InvalidData):
    """The answer would be beyond `query.max_samples`."""


class Selector:
    """Merges the two sources. Blocking; safe from many threads."""

    def __init__(self, heads: Heads, blocks: BlockSource, *, max_samples: int) -> None:
        self._heads = heads
        self._blocks = blocks
        self._max_samples = max_samples

    def select(
        self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int, holding: Holding, *, taken: int = 0
    ) -> Iterator[tuple[Labels, Samples]]:
        """Series in ascending label order, samples in [mint, maxt] in time order, each once.

        Heads are asked before the bucket is listed: a segment published in between is seen twice and merged, never
        missed. Where two sources hold different values for one time, the older block's stands. `taken` is how many
        samples the answer holds already, of other queries; `holding` is charged for what is gathered.

        Raises:
            InvalidData: too many samples, or too much memory.
            Retryable: the bucket does not answer, or changes faster than it can be read; other queries hold the memory.
        """
        merged = self._gather(tenant, matchers, mint, maxt, holding)
        left = self._max_samples - taken
        for labels in sorted(merged):
            samples = decode_range(merged[labels], mint, maxt)
            left -= len(samples.timestamps) + len(samples.histograms)
            if left < 0:
                raise TooManySamples(
                    f"query would return too many samples: limit={self._max_samples}",
                    hint="ask for fewer series or a shorter time, or raise query.max_samples",
                )
            if samples.timestamps or samples.histograms:
                yield labels, samples

    def _gather(
        self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int, holding: Holding
    ) -> dict[Labels, list[Chunk]]:
        for _ in range(_ATTEMPTS):
            fresh = []
            for series in self._heads.select(tenant, matchers, mint, maxt):
                holding.take_series(series.labels, series.chunks)
                fresh.append(series)
            merged: dict[Labels, list[Chunk]] = {}
            try:
                for labels, chunks in self._blocks.select(tenant, matchers, mint, maxt):
                    holding.take_series(labels, chunks)
                    merged.setdefault(labels, []).extend(chunks)
            except ObjectNotFound:
                continue  # compacted away between the listing and the reading: list again
            for labels, chunks in fresh:
                merged.setdefault(labels, []).extend(chunks)
            return merged
        raise Retryable("blocks were removed faster than they could be read", hint="ask again")
