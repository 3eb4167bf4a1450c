"""A block in the bucket, as `tsdb.block_reader` reads it: mapped where it lies on this machine, else by ranges."""

import threading
from collections import OrderedDict

from bucket.bucket import Bucket, ObjectNotFound
from bucket.layout import INDEX, block_key
from tsdb.block_files import BlockFiles, LocalBlock

_PAGE = 256 << 10
_PAGES = 64


class RangedBlock:
    """Reads through `Bucket.get_range` in pages of 256 KiB, the last 64 of which are kept: reads come in runs."""

    def __init__(self, bucket: Bucket, ulid: str) -> None:
        self._bucket = bucket
        self._ulid = ulid
        self._sizes: dict[str, int] = {}
        self._pages: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: str, start: int, length: int) -> bytes:
        """Raises FileNotFoundError, and what the bucket raises."""
        end = min(start + length, self.size(path))
        if end - start > _PAGE * _PAGES // 2:
            return self._range(path, start, end - start)
        pages = range(start // _PAGE, -(-end // _PAGE))
        data = b"".join(self._page(path, page) for page in pages)
        return data[start % _PAGE :][: max(0, end - start)] if pages else b""

    def size(self, path: str) -> int:
        if path not in self._sizes:
            try:
                self._sizes[path] = self._bucket.stat(block_key(self._ulid, path)).size
            except ObjectNotFound as error:
                raise FileNotFoundError(block_key(self._ulid, path)) from error
        return self._sizes[path]

    def _page(self, path: str, page: int) -> bytes:
        key = (path, page)
        with self._lock:
            data = self._pages.get(key)
        if data is None:
            data = self._range(path, page * _PAGE, _PAGE)
            with self._lock:
                self._pages[key] = data
                while len(self._pages) > _PAGES:
                    self._pages.popitem(last=False)
        return data

    def _range(self, path: str, start: int, length: int) -> bytes:
        try:
            return self._bucket.get_range(block_key(self._ulid, path), start, length)
        except ObjectNotFound as error:
            raise FileNotFoundError(block_key(self._ulid, path)) from error


def open_block(bucket: Bucket, ulid: str) -> BlockFiles:
    """The cheapest way to this block's files."""
    index = bucket.local_path(block_key(ulid, INDEX))
    return LocalBlock(index.parent) if index is not None else RangedBlock(bucket, ulid)
