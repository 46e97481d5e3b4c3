"""Reading a trace: by id, by number, by what a record says, in order; while it is written or not."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import moment
from tenantrank.trace.chain import beginning
from tenantrank.trace.checkpoints import Checkpoint, Stub
from tenantrank.trace.layout import Connection, Disk, open_reader, read_log_id
from tenantrank.trace.ledger import read_stub
from tenantrank.trace.rows import Stored
from tenantrank.trace.search import query
from tenantrank.trace.snapshots import find_reference, read_content

_PAGE = 500


class Reader:
    """A trace, for reading alone. It works while another process writes, and changes nothing. Safe to use from several
    threads, one at a time being served.

    Attributes
    ----------
    path : of the store's file
    log_id : 16 bytes, which no other log has
    """

    def __init__(self, path: str, disk: Disk) -> None:
        self.path = Path(path)
        self._disk = disk
        self._reading = threading.RLock()
        self._connection: Connection | None = open_reader(disk, path)
        try:
            self.log_id = read_log_id(self._connection, path)
        except BaseException:
            self._connection.close()
            raise

    @classmethod
    def open(cls, path: str | Path, *, disk: Disk | None = None) -> Reader:
        """Open a trace for reading.

        Raises
        ------
        TraceError
            ``missing`` where there is none, ``unreadable`` where the file is something else
        """
        return Reader(os.path.realpath(path), disk or Disk())

    def close(self) -> None:
        """Let go of the file."""
        with self._reading:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def head(self) -> tuple[int, bytes]:
        """Give the number of the last record, 0 before the first, and what the next one's hash will be linked to."""
        with self._reading:
            row = self._one("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1")
            if row is not None:
                return int(row[0]), bytes(row[1])
            stub = self.stub()
            return (0, beginning(self.log_id)) if stub is None else (stub.last, stub.hash)

    def get(self, seq: int) -> Stored | None:
        """Give the record of a number."""
        row = self._one("SELECT seq, hash, body FROM records WHERE seq = ?", (seq,))
        return None if row is None else Stored(*row)

    def find(self, id: str) -> list[Stored]:
        """Give everything of an id, in order: the decision, the attempts that followed it, notes on it."""
        rows = self._all("SELECT seq, hash, body FROM records WHERE id = ? ORDER BY seq", (id,))
        return [Stored(*row) for row in rows]

    def records(
        self,
        *,
        since_seq: int = 0,
        until_seq: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        kind: str | None = None,
    ) -> Iterator[Stored]:
        """Go through records in order; memory is bounded, and no writer is held up.

        Parameters
        ----------
        since_seq, until_seq
            numbers above the one, up to and with the other
        since, until
            moments from the one on, before the other
        kind
            of records
        """
        sql, values = query({}, since, until, kind)
        last = (1 << 62) if until_seq is None else until_seq
        sql += " AND r.seq > ? AND r.seq <= ? ORDER BY r.seq LIMIT ?"
        at = since_seq
        while rows := self._all(sql, (*values, at, last, _PAGE)):
            for row in rows:
                yield Stored(*row)
            at = rows[-1][0]

    def search(
        self,
        *,
        tenant: str | None = None,
        fingerprint: str | None = None,
        identity: str | None = None,
        rule: str | None = None,
        offer: str | None = None,
        kind: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = 100,
        newest_first: bool = True,
    ) -> list[Stored]:
        """Find records that everything given applies to.

        Parameters
        ----------
        tenant, fingerprint, identity
            of the tenant, of its policy
        rule
            that applied
        offer
            that is among the first of a decision, or was called in an attempt
        kind, since, until
            as `records`
        limit
            how many at most; ``None`` for all
        newest_first
            by number, from the last one down; else up from the first one
        """
        given = {"tenant": tenant, "fingerprint": fingerprint, "identity": identity, "rule": rule, "offer": offer}
        sql, values = query(given, since, until, kind)
        order = "DESC" if newest_first else "ASC"
        rows = self._all(f"{sql} ORDER BY r.seq {order} LIMIT ?", (*values, -1 if limit is None else limit))
        return [Stored(*row) for row in rows]

    def tail(self, limit: int = 10) -> list[Stored]:
        """Give the last records, in order."""
        return self.search(limit=limit)[::-1]

    def snapshot(self, kind: str, id: str) -> bytes:
        """Give a snapshot's bytes.

        Raises
        ------
        TraceError
            ``missing``; ``unreadable`` where they are damaged
        """
        with self._reading:
            return read_content(self._open(), kind, id)

    def has_snapshot(self, kind: str, id: str) -> bool:
        """Say whether there is a snapshot."""
        with self._reading:
            return find_reference(self._open(), kind, id) is not None

    def snapshots(self) -> list[tuple[str, str, int]]:
        """Give kind, id and size of every snapshot."""
        return [tuple(row) for row in self._all("SELECT kind, id, size FROM snapshots ORDER BY kind, id", ())]

    def checkpoints(self) -> list[Checkpoint]:
        """Give the checkpoints that the store itself keeps, in order."""
        return [Checkpoint.read(*row) for row in self._all("SELECT body, signature FROM checkpoints ORDER BY seq", ())]

    def stub(self) -> Stub | None:
        """Give what retention left of the records it removed, if it ever ran."""
        with self._reading:
            return read_stub(self._open())

    def export(self, path: str | Path, **search: Any) -> int:
        """Write records to a Parquet file; see `tenantrank.trace.export`.

        Parameters
        ----------
        path
            of the file, which is replaced when the new one is whole
        search
            as `records`

        Returns
        -------
        int
            how many records it has
        """
        from tenantrank.trace.export import write_parquet

        return write_parquet(path, self.records(**search))

    def snapshot_connection(self) -> Connection:
        """Give a connection of its own to a state that does not change under it; the caller closes it."""
        connection = open_reader(self._disk, str(self.path))
        connection.execute("BEGIN")
        return connection

    def last_before(self, before: datetime) -> int:
        """Give the number up to which retention would remove records."""
        from tenantrank.trace.retention import last_before

        with self._reading:
            return last_before(self._open(), moment(before))

    def _open(self) -> Connection:
        if self._connection is None:
            raise TraceError("the trace is closed", "closed")
        return self._connection

    def _all(self, sql: str, values: tuple[Any, ...]) -> list[Any]:
        with self._reading:
            try:
                return self._open().execute(sql, values).fetchall()
            except TraceError:
                raise
            except Exception as error:
                raise TraceError(f"{self.path} cannot be read: {error}", "unreadable") from error

    def _one(self, sql: str, values: tuple[Any, ...] = ()) -> Any:
        rows = self._all(sql, values)
        return rows[0] if rows else None
