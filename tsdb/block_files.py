"""Where the files of one block are read from."""

import mmap
from pathlib import Path
from typing import Protocol


class BlockFiles(Protocol):
    """The files of one block by their paths in it: `index`, `meta.json`, `chunks/000001`. Contents never change."""

    def size(self, path: str) -> int:
        """In bytes; raises FileNotFoundError where the block has no such file. May block."""

    def read(self, path: str, start: int, length: int) -> bytes | memoryview:
        """Bytes [start, start + length), fewer where the file ends before; may block.

        What is returned stays valid for as long as it is held.
        """


class LocalBlock:
    """A block in a local directory, mapped into memory: what is read is not copied."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._views: dict[str, memoryview] = {}

    def size(self, path: str) -> int:
        return len(self._view(path))

    def read(self, path: str, start: int, length: int) -> memoryview:
        return self._view(path)[start : start + length]

    def _view(self, path: str) -> memoryview:
        view = self._views.get(path)
        if view is None:
            with (self.directory / path).open("rb") as file:
                empty = file.seek(0, 2) == 0
                view = memoryview(b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            self._views[path] = view
        return view
