"""Verification: whether a log is what was written, and if not, what was done to it and where.

The chain is followed record by record, from each signed checkpoint anew: a segment between two checkpoints is judged by
what was signed at its two ends, so that damage to one says nothing about the others. Checkpoints that were kept
elsewhere count as those in the store; only they, and a key from elsewhere, can tell of a log that was cut or rewritten
together with everything beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import parsed
from tenantrank.trace.chain import VERSION, beginning, record_hash
from tenantrank.trace.checkpoints import Checkpoint, Stub
from tenantrank.trace.layout import Connection
from tenantrank.trace.reader import Reader
from tenantrank.trace.report import Report, Segment
from tenantrank.trace.verify_beside import Beside

__all__ = ["Report", "verify", "verify_connection"]

_PAGE = 500


def verify(
    store: Reader, checkpoints: Iterable[Checkpoint] = (), public_key: bytes | None = None, thorough: bool = True
) -> Report:
    """Check a whole log.

    Parameters
    ----------
    store
        may be written meanwhile; what is checked is its state at the beginning
    checkpoints
        kept elsewhere
    public_key
        whose signatures count, 32 bytes; ``None`` takes the key that the first checkpoint given names, or else that of
        the store's own first signature
    thorough
        whether to check the indexes, the snapshots and the file's structure, too

    Returns
    -------
    Report
    """
    try:
        connection = store.snapshot_connection()
    except Exception as error:
        report = Report()
        report.add("unreadable", None, f"the store cannot be read: {error}")
        return report
    try:
        return verify_connection(connection, checkpoints, public_key, thorough)
    finally:
        connection.close()


def verify_connection(
    connection: Connection,
    checkpoints: Iterable[Checkpoint] = (),
    public_key: bytes | None = None,
    thorough: bool = True,
) -> Report:
    """Check the log that a connection reads; see `verify`."""
    report = Report()
    try:
        _Verification(connection, list(checkpoints), public_key, report).run(thorough)
    except Exception as error:
        report.add("unreadable", report.last + 1 or None, f"the store cannot be read: {error}")
        if report.segments:
            report.segments[-1].ok = False
    return report


class _Row(NamedTuple):
    seq: int
    hash: Any
    body: Any


class _Verification:
    def __init__(
        self, connection: Connection, outside: list[Checkpoint], public_key: bytes | None, report: Report
    ) -> None:
        self._connection, self._outside, self._report = connection, outside, report
        self._key, report.pinned = public_key, public_key is not None or bool(outside)
        report.outside = len(outside)
        self._log = b""
        self._signed: dict[int, bytes] = {}
        self._segment = Segment(1, 0, False)
        self._beside: Beside | None = None

    def run(self, thorough: bool) -> None:
        """Check everything."""
        meta = dict(self._connection.execute("SELECT name, value FROM meta").fetchall())
        self._log = meta["log"]
        self._report.log = self._log.hex()
        if meta.get("format") != VERSION:
            self._report.add("unreadable", None, f"the store does not say that it is of {VERSION}")
        stub = self._stub()
        start = (0, beginning(self._log)) if stub is None else (stub.last, stub.hash)
        self._report.removed, self._report.last = start[0], start[0]
        self._checkpoints(*start)
        if thorough:
            try:
                self._beside = Beside(self._connection, self._report)
            except Exception as error:
                self._report.add("unreadable", None, f"what records are found by cannot be read: {error}")
        self._chain(*start)
        last = max(self._signed, default=0)
        if last > self._report.last:
            self._report.add(
                "truncated",
                self._report.last + 1,
                f"the log ends with record {self._report.last}, a checkpoint says that there are {last}",
            )
        if self._report.key is None and self._key is not None:
            self._report.key = self._key.hex()
        if self._beside is not None:
            self._beside.finish()

    def _stub(self) -> Stub | None:
        stub = None
        for body, signature in self._connection.execute("SELECT body, signature FROM stubs").fetchall():
            try:
                found = Stub.read(body, signature)
                good = found.log == self._log and found.before_first == beginning(self._log)
                good = good and self._trusts(found.key) and found.is_signed("stub", self._key)
            except (TraceError, TypeError, AttributeError):
                good = False
            if not good or stub is not None:
                self._report.add("stub", None, "what stands for removed records is not signed by the key for this log")
            else:
                stub = found
        return stub

    def _trusts(self, key: bytes) -> bool:
        """Say whether a key counts; where none was given, the first one seen is the one that counts."""
        if self._key is None:
            self._key = self._outside[0].key if self._outside else key
        self._report.key = self._key.hex()
        return key == self._key

    def _checkpoints(self, removed: int, digest: bytes) -> None:
        for checkpoint in self._outside:
            self._sign(checkpoint, removed, digest, "a checkpoint kept elsewhere")
        for seq, body, signature in self._connection.execute("SELECT seq, body, signature FROM checkpoints").fetchall():
            try:
                checkpoint = Checkpoint.read(body, signature)
            except (TraceError, TypeError, AttributeError):
                self._report.add("checkpoint", seq, f"the store's checkpoint at {seq} cannot be read")
                continue
            if checkpoint.seq != seq:
                self._report.add("checkpoint", seq, f"the store's checkpoint at {seq} is about record {checkpoint.seq}")
            else:
                self._sign(checkpoint, removed, digest, "the store's checkpoint")

    def _sign(self, checkpoint: Checkpoint, removed: int, digest: bytes, which: str) -> None:
        seq = checkpoint.seq
        if not (self._trusts(checkpoint.key) and checkpoint.is_signed("checkpoint", self._key)):
            self._report.add("checkpoint", seq, f"{which} at {seq} is not signed by the key")
        elif checkpoint.log != self._log:
            self._report.add("other log", seq, f"{which} at {seq} is about the log {checkpoint.log.hex()}")
        elif seq < removed:
            self._report.unchecked += 1
        elif self._signed.setdefault(seq, digest if seq == removed else checkpoint.hash) != checkpoint.hash:
            self._report.add("rewritten", seq, f"{which} at {seq} says another hash than what else is signed there")

    def _chain(self, seq: int, before: bytes | None) -> None:
        """Follow the chain from the record after `seq`, which is linked to `before`; ``None`` is not known."""
        report = self._report
        self._open_segment(seq + 1)
        for row, following in self._rows():
            if row.seq != seq + 1:
                if row.seq <= seq:
                    report.add("stub", row.seq, f"record {row.seq} is there, though it is said to be removed")
                    continue
                self._missing(seq + 1, row.seq - 1)
                before = self._signed.get(row.seq - 1)
            seq = row.seq
            report.records += 1
            report.last = seq
            before = self._record(row, before, following)
            if seq in self._signed:
                if before is not None and before != self._signed[seq]:
                    first = self._segment.first
                    self._bad("rewritten", first, f"records {first} to {seq} do not lead to what was signed at {seq}")
                before = self._signed[seq]
                self._close_segment(seq, True)
        if self._segment.first <= seq:
            self._close_segment(seq, False)

    def _record(self, row: _Row, before: bytes | None, following: _Row | None) -> bytes | None:
        """Check one record; give what the next one should be linked to, ``None`` where that is not known."""
        if not isinstance(row.body, bytes) or not isinstance(row.hash, bytes):
            self._bad("unreadable", row.seq, f"record {row.seq} cannot be read")
            return row.hash if isinstance(row.hash, bytes) else None
        given = row.hash
        if before is not None:
            right = record_hash(before, row.body)
            if right != row.hash:
                signed = self._signed.get(row.seq)
                linked = following is not None and following.seq == row.seq + 1 and isinstance(following.body, bytes)
                if right == signed or (
                    linked and following is not None and record_hash(right, following.body) == following.hash
                ):
                    self._bad("hash", row.seq, f"the hash of record {row.seq} was altered; its text was not")
                    given = right
                else:
                    detail = f"record {row.seq} is not what followed record {row.seq - 1}: edited, or put in"
                    self._bad("edited", row.seq, detail)
        try:
            record = parsed(row.body)
        except TraceError:
            self._bad("unreadable", row.seq, f"record {row.seq} is not JSON")
            return given
        if record.get("seq") != row.seq:
            self._bad("moved", row.seq, f"under number {row.seq} lies record {record.get('seq')!r}")
        if self._beside is not None and not self._beside.record(row.seq, record):
            self._segment.ok = False
        return given

    def _missing(self, first: int, last: int) -> None:
        """Name records that are not there, in each segment that they belong to."""
        for end in sorted(end for end in self._signed if first <= end <= last):
            self._bad("missing", first, f"records {first} to {end} are missing")
            self._close_segment(end, True)
            first = end + 1
        if first <= last:
            self._bad("missing", first, f"records {first} to {last} are missing")

    def _bad(self, what: Any, seq: int, detail: str) -> None:
        self._segment.ok = False
        self._report.add(what, seq, detail)

    def _open_segment(self, first: int) -> None:
        self._segment = Segment(first, first, False)

    def _close_segment(self, last: int, signed: bool) -> None:
        self._segment.last, self._segment.signed = last, signed
        self._report.segments.append(self._segment)
        self._open_segment(last + 1)

    def _rows(self) -> Iterator[tuple[_Row, _Row | None]]:
        """Give each record with the one after it."""
        rows = self._each()
        current = next(rows, None)
        while current is not None:
            following = next(rows, None)
            yield current, following
            current = following

    def _each(self) -> Iterator[_Row]:
        """Give each record; where a page of the file cannot be read, what can be of its records, one by one."""
        at, page = -(1 << 62), _PAGE
        sql = "SELECT seq, hash, body FROM records WHERE seq > ? ORDER BY seq LIMIT ?"
        while True:
            try:
                rows = self._connection.execute(sql, (at, page)).fetchall()
            except Exception:
                if page == 1:
                    at = max(at, self._report.removed) + 1
                    if at > max(self._end(), max(self._signed, default=0)):
                        return
                    yield _Row(at, None, None)
                page = 1
                continue
            if not rows:
                return
            yield from (_Row(*values) for values in rows)
            at = rows[-1][0]

    def _end(self) -> int:
        try:
            return int(self._connection.execute("SELECT max(seq) FROM records").fetchone()[0])
        except Exception:
            return 0
