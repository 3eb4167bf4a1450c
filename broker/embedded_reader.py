"""The embedded log's reader: beside the writer, in its process or another one, and past damage where it can."""

import contextlib
import sqlite3
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from broker import embedded_file, embedded_row
from broker.log import LogCorrupt, LogUnavailable, Record

_FROM = f"SELECT {embedded_row.COLUMNS} FROM records_{{}} WHERE offset >= ? ORDER BY offset"  # noqa: S608 - constants
_PROBE = "SELECT offset FROM records_{} WHERE offset >= ? ORDER BY offset LIMIT 1"
_TIME = "SELECT offset, append_time FROM records_{} WHERE offset >= ? ORDER BY offset LIMIT 1"
_END = (
    "SELECT coalesce((SELECT max(offset) + 1 FROM records_{0}), "
    "(SELECT start_offset FROM partitions WHERE partition = {0}))"
)
_LOST_BYTES = 1 << 10
"""What a lost record counts for in `max_bytes`."""
_LOST = "lost with a damaged page or row of the log"
_FARTHEST = 1 << 40  # records, over which the search for readable ones is given up


class EmbeddedReader:
    """A LogReader. Keeps as many connections as threads have read at once.

    A record whose value is damaged is handed out as `damaged`. So is one that is lost altogether, which shows as a hole
    in the offsets; its append time is that of the next sound record, the same from wherever reading began, and so it
    is handed out only once there is one.
    """

    def __init__(self, directory: Path) -> None:
        """Raises LogUnavailable where no writer has made a log yet, Fatal, LogCorrupt."""
        self._directory = directory
        self._mutex = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        if not (directory / embedded_file.DATABASE).exists():
            raise LogUnavailable(
                f"there is no log yet directory={directory}", hint="start the gateway of this directory first"
            )
        try:
            with self._connection("open") as db:
                embedded_file.check(db, directory)
                self._log_id = embedded_file.read_log_id(db, self._directory)
        except BaseException:
            self.close()
            raise

    @property
    def log_id(self) -> str:
        return self._log_id

    @property
    def partitions(self) -> int:
        """Looked up every time: a writer may have added some. Raises LogUnavailable, LogCorrupt."""
        with self._connection("partitions") as db:
            return embedded_file.partition_count(db)

    def start_offset(self, partition: int) -> int:
        with self._connection("start offset") as db:
            return _start(db, partition)

    def end_offset(self, partition: int) -> int:
        with self._connection("end offset") as db:
            end: int = db.execute(_END.format(partition)).fetchone()[0]
            return end

    def offset_for_time(self, partition: int, time: int) -> int:
        """Halves the log: the writer never gives a time that is before the last one."""
        with self._connection("offset for time") as db, _snapshot(db):
            low, high = _start(db, partition), db.execute(_END.format(partition)).fetchone()[0]
            while low < high:
                middle = (low + high) // 2
                row = db.execute(_TIME.format(partition), (middle,)).fetchone()
                if row is None or row[0] >= high or row[1] >= time:
                    high = middle
                else:
                    low = row[0] + 1
        return low

    def read(self, partition: int, offset: int, max_bytes: int) -> list[Record]:
        records: list[Record] = []
        room = max_bytes
        with self._connection("read") as db, _snapshot(db):
            # In one snapshot with the rows: retention must not look like a loss.
            expected = max(offset, _start(db, partition))
            with contextlib.closing(self._sound_rows(db, partition, expected)) as rows:
                for row in rows:
                    for lost in range(expected, row[0]):
                        if records and room < _LOST_BYTES:
                            return records
                        records.append(Record(partition, lost, row[1], b"", b"", (), _LOST))
                        room -= _LOST_BYTES
                    size = embedded_row.value_bytes(row)
                    if records and room < size:
                        return records
                    records.append(embedded_row.to_record(partition, row))
                    room -= size
                    expected = row[0] + 1
        return records

    def confirm(self) -> None:
        """Nothing takes the place of files that are open."""

    def close(self) -> None:
        with self._mutex:
            self._closed = True
            idle, self._idle = self._idle, []
        for db in idle:
            db.close()

    def _sound_rows(
        self, db: sqlite3.Connection, partition: int, position: int
    ) -> Generator[embedded_row.Row, None, None]:
        """Rows from `position` on whose fields are sound, past those that cannot be read."""
        query = _FROM.format(partition)
        one_by_one = False
        while True:
            before = position
            try:
                for row in db.execute(f"{query} LIMIT 1" if one_by_one else query, (position,)):
                    position = row[0] + 1
                    if embedded_row.has_sound_fields(partition, row):
                        yield row
            except sqlite3.DatabaseError as error:
                if not embedded_file.is_damage(error):
                    raise
                # The sqlite3 module steps one row ahead and drops a good row before a bad one: ask for that one alone.
                if one_by_one:
                    position = self._next_readable(db, partition, position)
                one_by_one = not one_by_one
            else:
                if not one_by_one or position == before:
                    return
                one_by_one = False

    def _next_readable(self, db: sqlite3.Connection, partition: int, position: int) -> int:
        """The first offset behind the damage at `position`: doubling steps until one is readable, then halving."""
        good = 1
        while (found := self._readable(db, partition, position + good)) is None:
            good *= 2
            if good > _FARTHEST:
                raise self._unreadable(partition, position)
        bad = good // 2
        while good - bad > 1:
            middle = (good + bad) // 2
            if (there := self._readable(db, partition, position + middle)) is None:
                bad = middle
            else:
                good, found = middle, there
        if not found:
            raise self._unreadable(partition, position)
        return position + good

    @staticmethod
    def _readable(db: sqlite3.Connection, partition: int, position: int) -> bool | None:
        """Whether there is a record from `position` on; None where that cannot be read."""
        try:
            return db.execute(_PROBE.format(partition), (position,)).fetchone() is not None
        except sqlite3.DatabaseError as error:
            if not embedded_file.is_damage(error):
                raise
            return None

    def _unreadable(self, partition: int, position: int) -> LogCorrupt:
        return LogCorrupt(
            f"no record can be read from here on partition={partition} offset={position} directory={self._directory}",
            hint=embedded_file.recovery_hint(self._directory),
        )

    @contextlib.contextmanager
    def _connection(self, what: str) -> Iterator[sqlite3.Connection]:
        """Lends a connection, and turns SQLite's errors into the house's."""
        with self._mutex:
            if self._closed:
                raise LogUnavailable("log reader is closed")
            db = self._idle.pop() if self._idle else None
        try:
            db = db or embedded_file.connect_reader(self._directory)
            yield db
        except sqlite3.Error as error:
            if db is not None:
                db.close()
            raise embedded_file.log_error(error, self._directory, what) from error
        except BaseException:
            if db is not None:
                self._return(db)
            raise
        self._return(db)

    def _return(self, db: sqlite3.Connection) -> None:
        with self._mutex:
            if not self._closed:
                self._idle.append(db)
                return
        db.close()


class ChangeWatch:
    """Tells cheaply (some microseconds) whether a writer has committed since it was last asked. One thread's."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._db: sqlite3.Connection | None = None
        self._version = -1

    def changed(self) -> bool:
        """True the first time. Raises LogUnavailable, LogCorrupt."""
        try:
            self._db = self._db or embedded_file.connect_reader(self._directory)
            version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            self.close()
            raise embedded_file.log_error(error, self._directory, "watch") from error
        changed = version != self._version
        self._version = version
        return changed

    def close(self) -> None:
        """May be called twice."""
        if self._db is not None:
            self._db.close()
            self._db = None
            self._version = -1


@contextlib.contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _start(db: sqlite3.Connection, partition: int) -> int:
    start: int = db.execute("SELECT start_offset FROM partitions WHERE partition = ?", (partition,)).fetchone()[0]
    return start
