"""The end of the chain, as the one writer holds it, and the transactions that move it on.

Everything here runs on the writer's thread. A record is part of the chain once `write` has returned; when `write`
raises, nobody knows what of it is on the disk, and the ledger must not be used again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tenantrank.errors import TraceError
from tenantrank.trace.chain import beginning, record_hash
from tenantrank.trace.checkpoints import Checkpoint, Stub
from tenantrank.trace.index import Index
from tenantrank.trace.layout import Connection, checkpoint_wal
from tenantrank.trace.rows import Reference, Row, key_of, row_of
from tenantrank.trace.signing import Signer
from tenantrank.trace.snapshots import Content, Snapshot, find_reference, insert_content, make_content

Record = Mapping[str, Any]

_AT_ONCE = 500  # parameters of one statement; SQLite has allowed 999 at least
_COMMITS, _RECORDS = 400, 8_000  # after which the write-ahead log, some tens of MB by then, is moved into the database


@dataclass(slots=True)
class Entry:
    """What was handed over at once: all of it becomes durable, or none.

    Attributes
    ----------
    records : records, or what makes them
    snapshots : what must be in the store with them
    future : told how it ended, or ``None``; answer : what it is told, from the numbers given to the records
    outcome : the numbers given to the records, or why there are none; set by `Ledger.write`
    """

    records: Sequence[Record | Callable[[], Record]]
    snapshots: Sequence[Snapshot] = ()
    future: Future[Any] | None = None
    answer: Callable[[list[int]], Any] = list
    outcome: list[int] | TraceError | None = None
    made: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    rows: list[Row] = field(default_factory=list)
    contents: list[tuple[int, Content, int]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)


class Ledger:
    """The chain's end.

    Parameters
    ----------
    connection, log_id
        as `open_writer` gives them
    now
        gives the moment as a record has it
    signer
        of checkpoints and stubs, or ``None``: then there are none
    every
        records from one checkpoint to the next
    """

    def __init__(
        self, connection: Connection, log_id: bytes, now: Callable[[], str], signer: Signer | None, every: int
    ) -> None:
        self.connection, self.log_id, self.now, self.signer = connection, log_id, now, signer
        self._every = every
        self.stub = read_stub(connection)
        self.seq, self.hash = self._head()
        self.sealed = connection.execute("SELECT coalesce(max(seq), 0) FROM checkpoints").fetchone()[0]
        self.index = Index(connection)
        self._snapshots: dict[Reference, int] = {}
        self._next_snapshot = 1 + connection.execute("SELECT coalesce(max(ref), 0) FROM snapshots").fetchone()[0]
        self._commits = self._records = 0

    def write(self, entries: Sequence[Entry], seal: bool = False) -> Checkpoint | None:
        """Make entries durable in one transaction; each one's `outcome` says whether it was taken.

        Parameters
        ----------
        entries
            in order
        seal
            whether to end with a checkpoint even if it is not time for one

        Returns
        -------
        Checkpoint or None
            the one that was made

        Raises
        ------
        Exception
            whatever the database raised; what is on the disk is not known then
        """
        self.connection.execute("BEGIN IMMEDIATE")
        batch = self._collect(entries)
        self._insert(batch)
        checkpoint = None
        unsealed = self.seq - self.sealed
        if self.signer is not None and unsealed and (seal or unsealed >= self._every):
            checkpoint = self._seal(self.signer)
        self.connection.execute("COMMIT")
        self._commits += 1
        self._records += len(batch.rows)
        return checkpoint

    def tidy(self, whole: bool = False) -> None:
        """Move the write-ahead log into the database where it has grown, or in any case."""
        if whole or self._commits >= _COMMITS or self._records >= _RECORDS:
            checkpoint_wal(self.connection)
            self._commits = self._records = 0

    def insert(self, entries: Sequence[Entry]) -> None:
        """Insert entries that cannot be refused; part of the caller's transaction."""
        batch = self._collect(entries)
        for entry in entries:
            if isinstance(entry.outcome, TraceError):
                raise RuntimeError(f"a note of the trace's own was refused: {entry.outcome}") from entry.outcome
        self._insert(batch)

    def forget(self, snapshots: Sequence[Reference]) -> None:
        """Let go of snapshots that were removed from the tables."""
        for reference in snapshots:
            self._snapshots.pop(reference, None)

    def _head(self) -> tuple[int, bytes]:
        """Read the end of the chain, and see that it follows from what is before it."""
        sql = "SELECT seq, hash, body FROM records ORDER BY seq DESC LIMIT 2"
        last = self.connection.execute(sql).fetchall()
        start = (0, beginning(self.log_id)) if self.stub is None else (self.stub.last, self.stub.hash)
        if not last:
            return start
        seq, digest, body = last[0]
        before = (last[1][0], last[1][1]) if len(last) == 2 else start
        if seq != before[0] + 1 or record_hash(before[1], body) != digest:
            raise TraceError(
                f"record {seq}, the last one, does not follow from the one before it: verify the trace", "unreadable"
            )
        return seq, digest

    def _collect(self, entries: Sequence[Entry]) -> _Batch:
        self._check_end()
        for entry in entries:
            try:
                entry.made = [_made(record) for record in entry.records]
            except TraceError as error:
                entry.outcome = error
            except Exception as error:
                entry.outcome = TraceError(f"a record could not be made: {error!r}")
                entry.outcome.__cause__ = error
        batch = _Batch()
        there = self._there([record for entry in entries for record in entry.made])
        for entry in entries:
            if entry.outcome is None:
                try:
                    self._take(entry, batch, there)
                except TraceError as error:
                    entry.outcome = error
        return batch

    def _take(self, entry: Entry, batch: _Batch, there: set[str]) -> None:
        """Chain an entry's records on, or leave everything as it is and raise why not."""
        time = self.now()
        rows: list[Row] = []
        contents: list[tuple[int, Content, int]] = []
        new: dict[Reference, int] = {}
        taken: set[str] = set()
        seq, digest = self.seq, self.hash
        for snapshot in entry.snapshots:
            reference = snapshot[:2]
            if reference in new or self._known(reference) is not None:
                continue
            content = make_content(snapshot)
            seq += 1
            rows.append(row_of(content.note(), seq, time, digest))
            digest = rows[-1].hash
            new[reference] = self._next_snapshot + len(new)
            contents.append((new[reference], content, seq))
        numbers = []
        for record in entry.made:
            seq += 1
            row = _row(record, seq, time, digest)
            digest = row.hash
            if row.kind == "decision":
                if row.id in there or row.id in batch.taken or row.id in taken:
                    raise TraceError(f"there is a decision {row.id!r} already")
                taken.add(str(row.id))
            rows.append(row)
            numbers.append(seq)
        self.seq, self.hash = seq, digest
        self._snapshots |= new
        self._next_snapshot += len(new)
        batch.rows += rows
        batch.contents += contents
        batch.taken |= taken
        entry.outcome = numbers

    def _insert(self, batch: _Batch) -> None:
        connection = self.connection
        name, rules, offers = self.index.name, self.index.rules, self.index.offers
        connection.executemany(
            "INSERT INTO records(seq, kind, id, time, body, hash, tenant, rule_set, offer_set)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*row[:6], name("tenant", row.marks.tenant), rules(row.marks), offers(row.marks)) for row in batch.rows],
        )
        for ref, content, note in batch.contents:
            insert_content(connection, ref, content, note)
        used = {reference: row.seq for row in batch.rows for reference in row.references}
        found = ((seq, self._known(reference)) for reference, seq in used.items())
        connection.executemany("UPDATE snapshots SET used = ? WHERE ref = ?", [pair for pair in found if pair[1]])

    def last_checkpoint(self) -> Checkpoint | None:
        """Give the checkpoint of the end of the chain, where there is one."""
        sql = "SELECT body, signature FROM checkpoints WHERE seq = ?"
        row = self.connection.execute(sql, (self.seq,)).fetchone()
        return None if row is None else Checkpoint.read(*row)

    def _seal(self, signer: Signer) -> Checkpoint:
        checkpoint = Checkpoint.sign(signer, self.log_id, self.seq, self.hash, self.now())
        self.connection.execute(
            "INSERT INTO checkpoints(seq, body, signature) VALUES(?, ?, ?)",
            (checkpoint.seq, checkpoint.body, checkpoint.signature),
        )
        self.sealed = checkpoint.seq
        return checkpoint

    def _check_end(self) -> None:
        """See that nobody wrote past the lock."""
        row = self.connection.execute("SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1").fetchone()
        if row is not None and (row[0] != self.seq or row[1] != self.hash):
            raise RuntimeError("something else wrote into it: verify the trace")

    def _there(self, records: Sequence[Record]) -> set[str]:
        """Give which decisions of these the store has."""
        ids = [key for record in records if record.get("kind") == "decision" and (key := key_of(record)) is not None]
        found: set[str] = set()
        for at in range(0, len(ids), _AT_ONCE):
            some = ids[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            sql = f"SELECT id FROM records WHERE id IN ({marks}) AND kind = 'decision'"
            found.update(row[0] for row in self.connection.execute(sql, some))
        return found

    def _known(self, reference: Reference) -> int | None:
        ref = self._snapshots.get(reference)
        if ref is None:
            ref = find_reference(self.connection, *reference)
            if ref is not None:
                self._snapshots[reference] = ref
        return ref


def _made(given: Record | Callable[[], Record]) -> Record:
    record = given() if callable(given) else given
    if not isinstance(record, Mapping):
        raise TraceError(f"a record must be a mapping, got {type(record).__name__}")
    return record


def _row(record: Record, seq: int, time: str, before: bytes) -> Row:
    """Make a row; whatever is wrong with a record is a reason to refuse it, and never one for the store to fail."""
    try:
        return row_of(record, seq, time, before)
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(f"a record cannot be written: {error!r}") from error


def read_stub(connection: Connection) -> Stub | None:
    """Read what retention left, if it ever ran."""
    row = connection.execute("SELECT body, signature FROM stubs ORDER BY last DESC LIMIT 1").fetchone()
    return None if row is None else Stub.read(*row)
