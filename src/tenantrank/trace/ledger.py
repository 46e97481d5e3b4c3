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
from tenantrank.trace.rows import SNAPSHOTS, Draft, Reference, draft_of
from tenantrank.trace.signing import Signer
from tenantrank.trace.snapshots import Content, Snapshot, find_reference, insert_content, make_content

Record = Mapping[str, Any]

_AT_ONCE = 500  # parameters of one statement; SQLite has allowed 999 at least
_ABSENT = 100_000  # references to what is not kept as a snapshot, that are remembered
_COMMITS, _RECORDS = 400, 8_000  # after which the write-ahead log, some tens of MB by then, is moved into the database


@dataclass(slots=True)
class Entry:
    """What was handed over at once: all of it becomes durable, or none.

    Attributes
    ----------
    records : records, drafts of them, or what makes them
    snapshots : what must be in the store with them
    future : told how it ended, or ``None``; answer : what it is told, from the numbers given to the records
    outcome : the numbers given to the records, or why there are none; set by `Ledger.write`
    """

    records: Sequence[Record | Draft | Callable[[], Record]]
    snapshots: Sequence[Snapshot] = ()
    future: Future[Any] | None = None
    answer: Callable[[list[int]], Any] = list
    outcome: list[int] | TraceError | None = None
    made: list[Draft] = field(default_factory=list)


@dataclass(slots=True)
class _Batch:
    """Records of a transaction: their drafts, numbers, times, texts and hashes."""

    drafts: list[Draft] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    contents: list[tuple[int, Content, int]] = field(default_factory=list)
    taken: set[str | None] = field(default_factory=set)


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
        self._absent: set[Reference] = set()
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
        self._records += len(batch.drafts)
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
        there = self._there([draft for entry in entries for draft in entry.made])
        for entry in entries:
            if entry.outcome is None:
                try:
                    self._take(entry, batch, there)
                except TraceError as error:
                    entry.outcome = error
        return batch

    def _take(self, entry: Entry, batch: _Batch, there: set[str | None]) -> None:
        """Chain an entry's records on, or leave everything as it is and raise why not."""
        time = self.now()
        dated = time.encode()
        drafts: list[Draft] = []
        contents: list[tuple[int, Content, int]] = []
        new: dict[Reference, int] = {}
        for snapshot in entry.snapshots:
            reference = snapshot[:2]
            if reference in new or self._known(reference) is not None:
                continue
            content = make_content(snapshot)
            drafts.append(draft_of(content.note()))
            new[reference] = self._next_snapshot + len(new)
            contents.append((new[reference], content, self.seq + len(drafts)))
        notes = len(drafts)
        drafts += entry.made
        numbers = list(range(self.seq + 1, self.seq + len(drafts) + 1))
        bodies: list[bytes] = []
        hashes: list[bytes] = []
        taken: set[str | None] = set()
        digest = self.hash
        for draft, seq in zip(drafts, numbers, strict=True):
            body = draft.body(seq, dated)
            digest = record_hash(digest, body)
            bodies.append(body)
            hashes.append(digest)
            if draft.kind == "decision":
                if draft.id in there or draft.id in batch.taken or draft.id in taken:
                    raise TraceError(f"there is a decision {draft.id!r} already")
                taken.add(draft.id)
        self.seq, self.hash = self.seq + len(drafts), digest
        self._snapshots |= new
        self._next_snapshot += len(new)
        batch.drafts += drafts
        batch.numbers += numbers
        batch.times += [time] * len(drafts)
        batch.bodies += bodies
        batch.hashes += hashes
        batch.contents += contents
        batch.taken |= taken
        entry.outcome = numbers[notes:]

    def _insert(self, batch: _Batch) -> None:
        connection, drafts = self.connection, batch.drafts
        name, rules, offers = self.index.name, self.index.rules, self.index.offers
        rows = zip(
            batch.numbers,
            [draft.kind for draft in drafts],
            [draft.id for draft in drafts],
            batch.times,
            batch.bodies,
            batch.hashes,
            [name("tenant", draft.tenant) for draft in drafts],
            [rules(draft.rule) for draft in drafts],
            [offers(draft.offers) for draft in drafts],
            strict=True,
        )
        connection.executemany(
            "INSERT INTO records(seq, kind, id, time, body, hash, tenant, rule_set, offer_set)"
            " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        for ref, content, note in batch.contents:
            insert_content(connection, ref, content, note)
        self._use({draft.snapshots: seq for draft, seq in zip(drafts, batch.numbers, strict=True)})

    def _use(self, last: Mapping[tuple[Any, ...], int]) -> None:
        """Note for snapshots the last record that refers to each, given by the ids that records name together."""
        used: dict[int, int] = {}
        for ids, seq in last.items():
            for kind, id in zip(SNAPSHOTS, ids, strict=True):
                ref = self._known((kind, id)) if isinstance(id, str) else None
                if ref is not None:
                    used[ref] = max(seq, used.get(ref, 0))
        self.connection.executemany(
            "UPDATE snapshots SET used = ? WHERE ref = ?", [(seq, ref) for ref, seq in used.items()]
        )

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

    def _there(self, drafts: Sequence[Draft]) -> set[str | None]:
        """Give which decisions of these the store has."""
        ids = [draft.id for draft in drafts if draft.kind == "decision"]
        found: set[str | None] = set()
        for at in range(0, len(ids), _AT_ONCE):
            some = ids[at : at + _AT_ONCE]
            marks = ",".join("?" * len(some))
            sql = f"SELECT id FROM records WHERE id IN ({marks}) AND kind = 'decision'"
            found.update(row[0] for row in self.connection.execute(sql, some))
        return found

    def _known(self, reference: Reference) -> int | None:
        ref = self._snapshots.get(reference)
        if ref is None and reference not in self._absent:
            ref = find_reference(self.connection, *reference)
            if ref is not None:
                self._snapshots[reference] = ref
            else:
                # Until it is put in here, nobody else does.
                if len(self._absent) >= _ABSENT:
                    self._absent.clear()
                self._absent.add(reference)
        return ref


def _made(given: Record | Draft | Callable[[], Record]) -> Draft:
    if type(given) is Draft:
        return given
    record = given() if callable(given) else given
    if not isinstance(record, Mapping):
        raise TraceError(f"a record must be a mapping, got {type(record).__name__}")
    return draft_of(record)


def read_stub(connection: Connection) -> Stub | None:
    """Read what retention left, if it ever ran."""
    row = connection.execute("SELECT body, signature FROM stubs ORDER BY last DESC LIMIT 1").fetchone()
    return None if row is None else Stub.read(*row)
