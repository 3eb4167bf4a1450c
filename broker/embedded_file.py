"""The embedded log on disk: one SQLite database, and how it is opened (byte by byte in docs/formats.md).

    log.db          the database below; log.db-wal and log.db-shm beside it are SQLite's
    writer.lock     held by the one writer
    commits/        committed offsets, see `broker.embedded_commits`
    groups/         who has which partition, see `broker.embedded_group`

Each partition has a table of its own: appends go to the right edge of a b-tree, which costs the least, and a damaged
page is one partition's. Records' bytes are in `broker.embedded_row`. Measured choices: 16 KiB pages (4 KiB cost 10 %
more, 64 KiB 4 %); SQLite's secure_delete off, or retention would rewrite what it removes; incremental vacuum, which
costs nothing measurable and lets a log that shrank give its space back.
"""

import os
import sqlite3
import uuid
from pathlib import Path

from broker.log import LogCorrupt, LogUnavailable
from forebay.errors import Fatal, ForebayError

DATABASE = "log.db"
WRITER_LOCK = "writer.lock"
COMMITS = "commits"
GROUPS = "groups"

FORMAT = 1
_APPLICATION_ID = 0x46524259  # "FRBY"
_PAGE_BYTES = 16 << 10
_BUSY_SECONDS = 5.0

_META = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE partitions (
    partition INTEGER PRIMARY KEY,
    start_offset INTEGER NOT NULL,      -- the oldest offset that retention has left
    append_time_floor INTEGER NOT NULL  -- append time of the newest record that retention has removed
);
"""
_RECORDS = """
CREATE TABLE records_{partition} (
    offset INTEGER PRIMARY KEY,
    append_time INTEGER NOT NULL,  -- milliseconds since the epoch
    key BLOB NOT NULL,
    headers BLOB NOT NULL,
    codec INTEGER NOT NULL,
    value_crc INTEGER NOT NULL,
    row_crc INTEGER NOT NULL,
    value BLOB NOT NULL
)
"""

_DAMAGE = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_TOOBIG,  # no value of ours is: its length was damaged
}
_TROUBLE = {
    sqlite3.SQLITE_FULL: "free disk space; appends go on by themselves",
    sqlite3.SQLITE_IOERR: "look at the kernel log for errors of the disk; appends and reads go on by themselves",
    sqlite3.SQLITE_CANTOPEN: "check that the directory exists and is writable",
    sqlite3.SQLITE_READONLY: "check that the directory is writable and not mounted read-only",
    sqlite3.SQLITE_PERM: "check who owns the directory's files",
    sqlite3.SQLITE_NOMEM: "give the process more memory",
    sqlite3.SQLITE_BUSY: "",
    sqlite3.SQLITE_LOCKED: "",
    sqlite3.SQLITE_PROTOCOL: "",
}


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the bytes of the database are wrong, rather than out of reach for now."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF in _DAMAGE or code == sqlite3.SQLITE_IOERR_SHORT_READ


def log_error(error: sqlite3.Error, directory: Path, what: str) -> ForebayError:
    """The house's error for SQLite's; one that names a mistake of ours is given as Fatal."""
    code = getattr(error, "sqlite_errorcode", 0)
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    message = f"embedded log failed while={what} directory={directory} sqlite={name} error={str(error)!r}"
    if is_damage(error):
        return LogCorrupt(message, hint=recovery_hint(directory))
    if code & 0xFF in _TROUBLE:
        return LogUnavailable(message, hint=_TROUBLE[code & 0xFF])
    return Fatal(message, hint="this is a bug in forebay; restart the process and report the message")


def recovery_hint(directory: Path) -> str:
    """What an operator does about a damaged database.

    A new log has a new id, so its offsets mean nothing to the manifests of the old one. A repaired or older database
    would give offsets out a second time, and consumers, which are past them, would never read those records.
    """
    return (
        f"stop every process on this log and check the disk; then move {directory} away and start again with a new "
        "log: what was published stays, records that were not are in the old directory only; do not repair it in "
        "place or restore an older copy, which would give offsets out twice"
    )


def connect_writer(directory: Path) -> sqlite3.Connection:
    """Opens the database for its one writer, creating an empty one. Raises sqlite3.Error."""
    db = _connect(f"file:{_quoted(directory)}?mode=rwc")
    try:
        # Those of the file's shape act only before its first table is written.
        for pragma in (f"page_size={_PAGE_BYTES}", "auto_vacuum=incremental", "journal_mode=wal"):
            db.execute(f"PRAGMA {pragma}")
        for pragma in (
            "synchronous=full",  # one fsync of the WAL in every commit
            "wal_autocheckpoint=0",  # the writer runs its own, after it has answered
            f"journal_size_limit={64 << 20}",  # a WAL that a slow reader let grow shrinks again
            "secure_delete=off",
            "cell_size_check=on",
        ):
            db.execute(f"PRAGMA {pragma}")
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(directory: Path) -> sqlite3.Connection:
    """Opens the database of a log that exists. Raises sqlite3.Error."""
    # mode=ro would be enough but for one case: a WAL left by a killed writer, whose index must be rebuilt first.
    db = _connect(f"file:{_quoted(directory)}?mode=rw")
    try:
        for pragma in ("query_only=on", "cell_size_check=on", "wal_autocheckpoint=0"):
            db.execute(f"PRAGMA {pragma}")
    except BaseException:
        db.close()
        raise
    return db


def prepare(db: sqlite3.Connection, directory: Path, partitions: int) -> None:
    """Creates the tables of a new log, adds those of new partitions. Raises Fatal, sqlite3.Error, OSError."""
    db.execute("BEGIN IMMEDIATE")
    try:
        present = 0
        if not _is_empty(db):
            present = check(db, directory)
        else:
            for statement in _META.strip().split(";\n"):
                db.execute(statement)
            db.execute("INSERT INTO meta VALUES ('log_id', ?)", (str(uuid.uuid4()),))
            db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={FORMAT}")
        _check_growth(present, partitions)
        for partition in range(present, partitions):
            db.execute(_RECORDS.format(partition=partition))
            db.execute("INSERT INTO partitions VALUES (?, 0, 0)", (partition,))
        db.execute("COMMIT")
    except BaseException:
        # SQLite has already rolled back by itself after some errors.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    if not present:
        _sync(directory)


def check(db: sqlite3.Connection, directory: Path) -> int:
    """The number of partitions of a log that this version can read. Raises Fatal, LogUnavailable, sqlite3.Error."""
    if _is_empty(db):
        raise LogUnavailable(f"embedded log is not created yet directory={directory}", hint="start its writer")
    application = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION_ID:
        raise Fatal(
            f"not a log of forebay file={directory / DATABASE} application_id={application:#x}",
            hint="give forebay a data directory of its own",
        )
    if version != FORMAT:
        raise Fatal(
            f"unknown format of the embedded log directory={directory} format={version} supported={FORMAT}",
            hint="run the version of forebay that wrote it, or a newer one",
        )
    return partition_count(db)


def partition_count(db: sqlite3.Connection) -> int:
    """Raises sqlite3.Error."""
    count: int = db.execute("SELECT count(*) FROM partitions").fetchone()[0]
    return count


def read_log_id(db: sqlite3.Connection, directory: Path) -> str:
    """Raises sqlite3.Error; LogCorrupt where there is none."""
    row = db.execute("SELECT value FROM meta WHERE name = 'log_id'").fetchone()
    if row is None:
        raise LogCorrupt(f"embedded log has no log id directory={directory}", hint=recovery_hint(directory))
    log_id: bytes = row[0]
    return log_id.decode()


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is None


def _check_growth(present: int, partitions: int) -> None:
    if partitions < present:
        raise Fatal(
            f"a log cannot have fewer partitions than before partitions={partitions} present={present}",
            hint=f"set broker.embedded.partitions to {present} or more, or start with a new data directory",
        )


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(
        uri,
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,  # transactions begin where the code says so
        check_same_thread=False,  # confined by their owners: to the writer's thread, or by lending one to a reader
        cached_statements=512,
    )
    # Damage may turn a column into text that is none; it is looked at, not decoded.
    db.text_factory = bytes
    return db


def _quoted(directory: Path) -> str:
    return (directory.absolute() / DATABASE).as_uri().removeprefix("file://")


def _sync(directory: Path) -> None:
    """Makes the new names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
