"""The bucket's blocks as one source of series."""

import threading
from collections.abc import Iterator, Sequence

from bucket.blocks import Block, BlockCatalog, superseded
from bucket.bucket import Bucket, ObjectNotFound
from query.block_files import open_block
from tsdb.block_reader import BlockReader
from tsdb.chunk import Chunk, Labels
from tsdb.matcher import Matcher


class BucketBlocks:
    """Reads blocks that count (`bucket.blocks`), opened ones kept open while they are listed. Thread-safe.

    The bucket is listed for every query: what a manifest committed before it can be read by it.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._catalog = BlockCatalog(bucket)
        self._readers: dict[str, BlockReader] = {}
        self._lock = threading.Lock()

    def select(
        self, tenant: str, matchers: Sequence[Matcher], mint: int, maxt: int
    ) -> Iterator[tuple[Labels, list[Chunk]]]:
        """As `query.selector.BlockSource`: blocks ascend by ULID, thus by the append time of their last record.

        A block is left out where a visible one was compacted from it; a mark alone hides nothing.

        Raises:
            ObjectNotFound: a block vanished while it was read; list and read again.
            InvalidData: a block is damaged.
        """
        live = self._catalog.live()
        self._forget(live)
        hidden = superseded(live)
        for block in live:
            in_range = block.min_time <= maxt and block.max_time > mint
            if block.tenant == tenant and in_range and block.resolution == 0 and block.ulid not in hidden:
                try:
                    yield from self._reader(block.ulid).select(matchers, mint, maxt)
                except FileNotFoundError as error:
                    raise ObjectNotFound(f"block vanished: ulid={block.ulid}") from error

    def _reader(self, ulid: str) -> BlockReader:
        with self._lock:
            reader = self._readers.get(ulid)
        if reader is None:
            reader = BlockReader(open_block(self._bucket, ulid))
            with self._lock:
                reader = self._readers.setdefault(ulid, reader)
        return reader

    def _forget(self, live: list[Block]) -> None:
        """Lets go of readers whose blocks are gone, and with them of their mappings."""
        present = {block.ulid for block in live}
        with self._lock:
            for ulid in self._readers.keys() - present:
                del self._readers[ulid]
