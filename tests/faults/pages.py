"""Pages of a closed SQLite database, found by its documented format (sqlite.org/fileformat2.html) and spoilt."""

import sqlite3
import struct
from pathlib import Path

_INTERIOR, _LEAF = 5, 13


class Pages:
    """A table's b-tree in a database that nobody has open."""

    def __init__(self, database: Path, table: str) -> None:
        self._database = database
        self._data = bytearray(database.read_bytes())
        self._size: int = struct.unpack_from(">H", self._data, 16)[0]
        db = sqlite3.connect(f"file:{database}?mode=ro&immutable=1", uri=True)
        try:
            (self.root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
        finally:
            db.close()

    def start(self, page: int) -> int:
        """Where in the file a page begins; pages count from 1."""
        return (page - 1) * self._size

    def cells(self, page: int) -> list[int]:
        """Where in the file the page's cells begin."""
        head = 12 if self._data[self.start(page)] == _INTERIOR else 8
        (count,) = struct.unpack_from(">H", self._data, self.start(page) + 3)
        return [self.start(page) + at for at in struct.unpack_from(f">{count}H", self._data, self.start(page) + head)]

    def children(self) -> list[int]:
        """The root's, which must be an interior page over leaves."""
        assert self._data[self.start(self.root)] == _INTERIOR
        children: list[int] = [struct.unpack_from(">I", self._data, cell)[0] for cell in self.cells(self.root)]
        assert all(self._data[self.start(child)] == _LEAF for child in children)
        return children

    def spoil(self, at: int, new: bytes) -> None:
        """Overwrites bytes of the file."""
        self._data[at : at + len(new)] = new
        self._database.write_bytes(self._data)
