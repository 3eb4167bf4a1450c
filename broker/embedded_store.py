"""The writer's hands on the database: transactions, offsets and append times. Blocks; used by one thread at a time."""

import os
import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from broker import embedded_file, embedded_row
from broker.log import Appended, LogCorrupt, LogUnavailable, NewRecord
from forebay.errors import ForebayError

_CHECKPOINT_BYTES = 4 << 20
"""Of the WAL. Measured: alike in CPU from 4 to 32 MiB, a tenth more at 256 KiB; the next commit waits for less here."""
_DROP_RECORDS = 256
_VACUUM_PAGES = 256

_INSERT = f"INSERT INTO records_{{}} ({embedded_row.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants
_NEWEST = f"SELECT {embedded_row.COLUMNS} FROM records_{{}} ORDER BY offset DESC LIMIT 2"  # noqa: S608 - constants
_OLDEST = "SELECT offset, append_time FROM records_{} ORDER BY offset LIMIT 1"
_OLD = (
    "SELECT offset, append_time, length(value), headers FROM records_{} WHERE offset < ? AND append_time < ? "
    "ORDER BY offset LIMIT ?"
)
_TIME = "SELECT append_time FROM records_{} WHERE offset >= ? ORDER BY offset LIMIT 1"


class Oldest(NamedTuple):
    offset: int
    append_time: int


class EmbeddedStore:
    """Opens the database at once, and again by itself after an error, since what SQLite holds is in doubt then.

    Every method but `close` raises LogUnavailable (try again later), LogCorrupt, or Fatal.
    """

    def __init__(self, directory: Path, partitions: int) -> None:
        self._directory = directory
        self._partitions = partitions
        self._db: sqlite3.Connection | None = None
        self._next_offset: list[int] = []
        self._append_time = 0
        self._unchecked_bytes = 0
        self.log_id = ""
        self.commits = 0
        """Transactions of records so far."""
        self._open()

    def append(self, records: Sequence[NewRecord], now_ms: int) -> list[Appended]:
        """All of them in one transaction, durable when it returns; at most unknown, never half, when it raises."""
        try:
            db = self._open()
            append_time = max(self._append_time, now_ms)
            rows: dict[int, list[embedded_row.Row]] = {}
            appended: list[Appended] = []
            stored = 0
            for record in records:
                partition_rows = rows.setdefault(record.partition, [])
                offset = self._next_offset[record.partition] + len(partition_rows)
                partition_rows.append(row := embedded_row.to_row(record, offset, append_time))
                appended.append(Appended(offset, append_time))
                stored += len(row[7])
            db.execute("BEGIN IMMEDIATE")
            for partition, partition_rows in rows.items():
                db.executemany(_INSERT.format(partition), partition_rows)
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error, "append") from error
        for partition, partition_rows in rows.items():
            self._next_offset[partition] += len(partition_rows)
        self._append_time = append_time
        self._unchecked_bytes += stored
        self.commits += 1
        return appended

    def checkpoint_if_due(self) -> None:
        """Moves the WAL into the database once it is long. Does not wait for readers: what they hold comes later."""
        if self._unchecked_bytes < _CHECKPOINT_BYTES:
            return
        try:
            self._open().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            raise self._failed(error, "checkpoint") from error
        self._unchecked_bytes = 0

    def probe(self) -> None:
        """Shows that the log can be written, with room for more than a few records; changes nothing in it."""
        try:
            with tempfile.TemporaryFile(dir=self._directory) as file:
                os.posix_fallocate(file.fileno(), 0, _CHECKPOINT_BYTES)
        except OSError as error:
            raise LogUnavailable(f"log directory takes no data directory={self._directory} error={error}") from error
        try:
            self._open().execute(f"PRAGMA user_version={embedded_file.FORMAT}")
        except sqlite3.Error as error:
            raise self._failed(error, "probe") from error

    def used_bytes(self) -> int:
        """The database's pages that are not free, in bytes."""
        pages, free, size = self._pages()
        return (pages - free) * size

    def oldest(self, partition: int) -> Oldest | None:
        """The oldest record; None where there is none."""
        try:
            row = self._open().execute(_OLDEST.format(partition)).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error, "retention") from error
        return Oldest(*row) if row else None

    def time_at(self, partition: int, offset: int) -> int | None:
        """Append time of the first record from `offset` on; None where there is none."""
        try:
            row = self._open().execute(_TIME.format(partition), (offset,)).fetchone()
        except sqlite3.Error as error:
            raise self._failed(error, "retention") from error
        return int(row[0]) if row else None

    def drop(self, partition: int, below: int, before: int, *, teaching_before: int, max_bytes: int) -> bool:
        """Removes the oldest records with an offset `below` and an append time `before`, about `max_bytes` of them.

        Stops at one that may teach labels and was not appended before `teaching_before`. False where it removed none.
        """
        try:
            db = self._open()
            last, floor, size = None, 0, 0
            for row in db.execute(_OLD.format(partition), (below, before, _DROP_RECORDS)):
                offset, append_time, length, headers = row
                if append_time >= teaching_before and embedded_row.may_teach(headers):
                    break
                last, floor, size = offset, append_time, size + length
                if size >= max_bytes:
                    break
            if last is None:
                return False
            db.execute("BEGIN IMMEDIATE")
            db.execute(f"DELETE FROM records_{partition} WHERE offset <= ?", (last,))  # noqa: S608 - a number
            db.execute(
                "UPDATE partitions SET start_offset = ?, append_time_floor = max(append_time_floor, ?) "
                "WHERE partition = ?",
                (last + 1, floor, partition),
            )
            db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error, "retention") from error
        self._unchecked_bytes += size // 16  # the pages of a removed value are not written; its leaves are
        return True

    def give_back(self) -> bool:
        """Returns a step's worth of free pages to the file system while more than half are free; False when done."""
        pages, free, _ = self._pages()
        if free < 4 * _VACUUM_PAGES or free * 2 < pages:
            return False
        try:
            self._open().execute(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})").fetchall()
        except sqlite3.Error as error:
            raise self._failed(error, "vacuum") from error
        self._unchecked_bytes += _CHECKPOINT_BYTES // 4
        return True

    def close(self) -> None:
        """May be called twice, and after an error."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _open(self) -> sqlite3.Connection:
        if self._db is not None:
            return self._db
        try:
            self._db = db = embedded_file.connect_writer(self._directory)
            embedded_file.prepare(db, self._directory, self._partitions)
            log_id = embedded_file.read_log_id(db, self._directory)
            tips = [self._tip(db, partition) for partition in range(self._partitions)]
        except sqlite3.Error as error:
            raise self._failed(error, "open") from error
        except OSError as error:
            self.close()
            raise LogUnavailable(f"log directory cannot be synced directory={self._directory} error={error}") from error
        except ForebayError:
            self.close()
            raise
        if self.log_id not in {"", log_id}:
            self.close()
            raise LogCorrupt(
                f"the log was replaced under its writer directory={self._directory} was={self.log_id} is={log_id}",
                hint="restart the process, and let nobody else write to this directory",
            )
        self.log_id = log_id
        self._next_offset = [offset for offset, _ in tips]
        # The log's append time goes on from its newest record, over a restart and over clocks that go back.
        self._append_time = max(self._append_time, *(append_time for _, append_time in tips))
        return db

    def _tip(self, db: sqlite3.Connection, partition: int) -> tuple[int, int]:
        """The next offset, and the newest append time."""
        start, floor = db.execute(
            "SELECT start_offset, append_time_floor FROM partitions WHERE partition = ?", (partition,)
        ).fetchone()
        newest = db.execute(_NEWEST.format(partition)).fetchall()
        sound = [row for row in newest if embedded_row.has_sound_fields(partition, row)]
        if newest and newest[0] not in sound and newest[0][0] != (newest[1][0] + 1 if len(newest) > 1 else start):
            raise LogCorrupt(
                f"newest record has a damaged offset partition={partition} offset={newest[0][0]} "
                f"directory={self._directory}",
                hint=embedded_file.recovery_hint(self._directory),
            )
        next_offset = newest[0][0] + 1 if newest else start
        return next_offset, max([floor, *(row[1] for row in sound)])

    def _pages(self) -> tuple[int, int, int]:
        try:
            db = self._open()
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
        except sqlite3.Error as error:
            raise self._failed(error, "size") from error
        return pages, free, size

    def _failed(self, error: sqlite3.Error, what: str) -> ForebayError:
        """Forgets the connection, which rolls back what it had begun."""
        failure = embedded_file.log_error(error, self._directory, what)
        try:
            self.close()
        except sqlite3.Error as closing:
            self._db = None
            failure.add_note(f"closing failed as well: {closing}")
        return failure
