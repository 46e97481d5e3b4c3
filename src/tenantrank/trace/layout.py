"""How a trace lies in SQLite, and how connections to it are made.

The seam to the disk is `Disk`: whoever opens a store may pass another one, as tests of faults do.

Only one connection of all processes ever writes or checkpoints (`TraceStore` holds a lock for as long as it is open);
readers open the file read-only. So neither "database is locked" nor the race between two connections that reset a
write-ahead log (SQLite 3.7.0 to 3.51.2) can meet a writer.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from tenantrank.errors import TraceError
from tenantrank.trace.chain import VERSION

APPLICATION_ID = 0x74725472  # "trTr", in the file's header
_PAGE = 8192  # bytes; a record takes some two thousand

TABLES = (
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE records(seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT, time TEXT NOT NULL,"
    " body BLOB NOT NULL, hash BLOB NOT NULL, tenant INTEGER, rule_set INTEGER, offer_set INTEGER)",
    "CREATE INDEX records_id ON records(id) WHERE id IS NOT NULL",
    "CREATE INDEX records_time ON records(time)",
    "CREATE INDEX records_tenant ON records(tenant) WHERE tenant IS NOT NULL",
    "CREATE INDEX records_rule_set ON records(rule_set) WHERE rule_set IS NOT NULL",
    "CREATE INDEX records_offer_set ON records(offer_set) WHERE offer_set IS NOT NULL",
    "CREATE TABLE names(ref INTEGER PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL, UNIQUE(field, value))",
    "CREATE TABLE sets(ref INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE)",
    "CREATE TABLE members(name INTEGER NOT NULL, in_set INTEGER NOT NULL, PRIMARY KEY(name, in_set)) WITHOUT ROWID",
    "CREATE INDEX members_in_set ON members(in_set)",
    "CREATE TABLE snapshots(ref INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, sha256 BLOB NOT NULL,"
    " size INTEGER NOT NULL, note INTEGER NOT NULL, used INTEGER NOT NULL, UNIQUE(kind, id))",
    "CREATE TABLE contents(ref INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    "CREATE TABLE checkpoints(seq INTEGER PRIMARY KEY, body BLOB NOT NULL, signature BLOB NOT NULL)",
    "CREATE TABLE stubs(last INTEGER PRIMARY KEY, body BLOB NOT NULL, signature BLOB NOT NULL)",
)


class Cursor(Protocol):
    """Rows of a statement."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """Give the next row, or ``None``."""

    def fetchall(self) -> list[Any]:
        """Give all rows that are left."""


class Connection(Protocol):
    """What is used of a connection; it begins no transaction by itself."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run a statement once for each of some parameters."""

    def close(self) -> None:
        """Let go of the file; a transaction that has not ended is undone."""


class Disk:
    """SQLite's own files. A subclass may put something between it and the disk."""

    def connect(self, path: str, *, readonly: bool = False, wait: float = 5.0) -> Connection:
        """Open a connection that any one thread at a time may use; `wait` is in seconds, for another's lock."""
        mode = "ro" if readonly else "rwc"
        address = f"{Path(path).absolute().as_uri()}?mode={mode}"
        if readonly and not _writable(path) and not os.path.exists(path + "-wal"):
            # Evidence on read-only media: nobody can be writing, and no shared memory can be made beside it.
            address += "&immutable=1"
        return sqlite3.connect(address, uri=True, timeout=wait, isolation_level=None, check_same_thread=False)

    def sync_directory(self, path: str) -> None:
        """Make the names of new files durable."""
        if os.name == "posix":
            directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


def _writable(path: str) -> bool:
    return os.access(path, os.W_OK) and os.access(os.path.dirname(path) or ".", os.W_OK)


def lock(disk: Disk, path: str) -> Connection:
    """Take the place of the one writer, for as long as the connection given lives; the system frees it when we die.

    Raises
    ------
    TraceError
        ``locked``
    """
    connection = disk.connect(path + "-writer", wait=0.0)
    try:
        connection.execute("PRAGMA journal_mode=MEMORY").fetchall()  # Nothing is ever written: no file for it.
        connection.execute("BEGIN EXCLUSIVE")
    except Exception as error:
        connection.close()
        busy = "lock" in str(error).lower()
        message = f"another writer has {path}" if busy else f"cannot lock {path}: {error}"
        raise TraceError(message, "locked" if busy else "failed") from error
    return connection


def open_writer(disk: Disk, path: str, new_log_id: bytes) -> tuple[Connection, bytes]:
    """Open, and where there is none yet create, a store for writing. The caller holds the lock.

    What an earlier process left in the write-ahead log is written to the database anew and synced before anything is
    built on it: after a failed sync, what the page cache shows need not be on the disk.

    Returns
    -------
    tuple
        the connection, and the log's id
    """
    connection = disk.connect(path)
    try:
        if not _is_empty(connection, path):
            read_log_id(connection, path)  # Before anything of a file that is not ours is changed.
        connection.execute(f"PRAGMA page_size={_PAGE}").fetchall()  # Of a new file alone.
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        for setting in ("synchronous=FULL", "fullfsync=1", "checkpoint_fullfsync=1", "wal_autocheckpoint=0"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        for setting in ("cache_size=-32768", "secure_delete=ON", "trusted_schema=OFF"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        level = connection.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or level != 2:
            raise TraceError(f"{path} cannot be made durable: journal {mode}, synchronous {level}", "failed")
        if _is_empty(connection, path):
            _create(connection, new_log_id)
            disk.sync_directory(path)
        log_id = read_log_id(connection, path)
        connection.execute("PRAGMA busy_timeout=30000").fetchall()
        checkpoint_wal(connection, "TRUNCATE")
        connection.execute("PRAGMA busy_timeout=5000").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection, log_id


def open_reader(disk: Disk, path: str) -> Connection:
    """Open a store for reading alone; closing it leaves the files as they are.

    Raises
    ------
    TraceError
        ``missing`` where there is no such file
    """
    if not Path(path).is_file():
        raise TraceError(f"there is no trace at {path}", "missing")
    connection = disk.connect(path, readonly=True)
    connection.execute("PRAGMA query_only=1").fetchall()
    connection.execute("PRAGMA trusted_schema=OFF").fetchall()
    return connection


def read_log_id(connection: Connection, path: str) -> bytes:
    """Read a store's log id.

    Raises
    ------
    TraceError
        ``unreadable``: it is not a store of this version
    """
    try:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    except Exception as error:
        raise TraceError(f"{path} is not a trace: {error}", "unreadable") from error
    log_id = meta.get("log")
    if meta.get("format") != VERSION or not isinstance(log_id, bytes) or len(log_id) != 16:
        raise TraceError(f"{path} is not a trace of {VERSION}", "unreadable")
    return log_id


def checkpoint_wal(connection: Connection, how: str = "PASSIVE") -> bool:
    """Move what is in the write-ahead log into the database, both synced. SQLite's own automatic checkpoints would
    keep an error to themselves; this one raises it.

    Returns
    -------
    bool
        whether all of it was moved; readers may keep a part

    Raises
    ------
    TraceError
        ``locked``: `how` is TRUNCATE, and a reader stood in the way until the wait was over; ``failed``: there is no
        write-ahead log
    """
    busy, pages, moved = connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()
    if pages < 0:
        # SQLite may say that it changed to a write-ahead log when an error kept it from doing so.
        raise TraceError("the trace has no write-ahead log", "failed")
    if busy and how == "TRUNCATE":
        raise TraceError("a reader of the trace keeps it from being taken up; close it and try again", "locked")
    return bool(pages == moved)


def _is_empty(connection: Connection, path: str) -> bool:
    try:
        return not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except Exception as error:
        raise TraceError(f"{path} cannot be read: {error}", "unreadable") from error


def _create(connection: Connection, log_id: bytes) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in TABLES:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}").fetchall()
    rows = [("format", VERSION), ("log", log_id)]
    connection.executemany("INSERT INTO meta(name, value) VALUES(?, ?)", rows)
    connection.execute("COMMIT")
