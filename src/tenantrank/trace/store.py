"""The store of a trace: one writer, and records that are durable before they are acknowledged."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import moment
from tenantrank.trace.checkpoints import Checkpoint, Stub
from tenantrank.trace.layout import Disk, lock, open_writer
from tenantrank.trace.ledger import Entry, Ledger, Record
from tenantrank.trace.reader import Reader
from tenantrank.trace.retention import remove_step
from tenantrank.trace.rows import Draft, Stored, draft_of
from tenantrank.trace.signing import Signer
from tenantrank.trace.snapshots import Snapshot
from tenantrank.trace.writer import Writer, running

T = TypeVar("T")

__all__ = ["Reader", "Record", "Snapshot", "Stored", "TraceStore"]


class TraceStore(Reader):
    """A trace that is written. One process has it at a time; every method may be called from any thread.

    A record is a mapping of what JSON has, with strings as keys and without NaN or infinity. It has ``kind``
    (``decision``, ``attempts`` or ``note``) and, unless it is a note, ``id``; that of an attempts record is the id of
    its decision, under ``of``. ``v``, ``seq`` and ``time`` are added by the store. No two decisions have the same id.
    In the place of a record may stand a function that gives it, which is called on the writer's thread, or what
    `tenantrank.trace.rows.draft_of` made of it. A record must not be changed once it is handed over.

    With a record may come the snapshots it needs, each as ``(kind, id, make)``: where the store has none of this kind
    and id, ``make()`` gives its bytes, on the writer's thread, and it becomes durable together with the record.

    Everything becomes durable in the order in which it was handed over. Snapshots and retention add notes to the chain,
    so the numbers of decisions have gaps. When the database gives any error the store fails: what waits and what comes
    later raises `TraceError`, until the store is closed and opened again. Nothing is dropped in silence.
    """

    def __init__(self, path: str, disk: Disk, writer: Writer, ledger: Ledger) -> None:
        super().__init__(path, disk)
        self._writer, self._ledger = writer, ledger
        mine = weakref.ref(self)
        self._at_exit: Callable[[], None] = lambda: _close(mine())
        # The writer's thread does not keep a program alive, so what it still has to write is waited for here.
        atexit.register(self._at_exit)

    @classmethod
    def open(  # type: ignore[override]
        cls,
        path: str | Path,
        *,
        wall: Callable[[], datetime],
        log_id_bits: Callable[[int], bytes],
        signer: Signer | None = None,
        checkpoint_every: int = 1000,
        checkpoint_seconds: float | None = None,
        clock: Callable[[], float] | None = None,
        max_pending: int = 65_536,
        on_checkpoint: Callable[[Checkpoint], None] | None = None,
        disk: Disk | None = None,
    ) -> TraceStore:
        """Open a store for writing, and make it where there is none.

        Parameters
        ----------
        path
            of its file, on a local disk; SQLite keeps up to three further ones beside it
        wall
            gives the moment, with its time zone; records are ordered by their numbers alone, so it may jump
        log_id_bits
            gives so many random bytes, as `os.urandom` does; used for a new log
        signer
            signs checkpoints and what retention leaves; without one the records still chain
        checkpoint_every
            records from one checkpoint to the next; one is made when the store is closed, too
        checkpoint_seconds, clock
            with both, a checkpoint is made when the last is so old; `clock` counts seconds and never goes back
        max_pending
            records that may wait for the disk
        on_checkpoint
            is told of each checkpoint, on the writer's thread, to keep it elsewhere
        disk
            the files; for tests

        Raises
        ------
        TraceError
            ``locked``: another writer has it, or a reader keeps what a crash left from being taken up;
            ``unreadable``: the file is something else, or its end is damaged; ``failed``: it cannot be opened
        """
        if checkpoint_every < 1 or max_pending < 1:
            raise TraceError("checkpoint_every and max_pending must be positive")
        disk, real = disk or Disk(), os.path.realpath(path)
        guard = _opened(real, lambda: lock(disk, real))
        try:
            connection, log_id = _opened(real, lambda: open_writer(disk, real, log_id_bits(16)))
            try:
                ledger = _opened(
                    real, lambda: Ledger(connection, log_id, lambda: moment(wall()), signer, checkpoint_every)
                )
            except BaseException:
                connection.close()
                raise
        except BaseException:
            guard.close()
            raise

        def end() -> None:
            try:
                connection.close()
            finally:
                guard.close()

        writer = Writer(ledger, max_pending, on_checkpoint, clock, checkpoint_seconds, end)
        try:
            return cls(real, disk, writer, ledger)
        except BaseException:
            writer.close()
            raise

    @property
    def failure(self) -> TraceError | None:
        """Why the store takes nothing any more; ``None`` while it does."""
        return self._writer.failure

    def submit(self, record: Record | Draft | Callable[[], Record], snapshots: Sequence[Snapshot] = ()) -> Future[int]:
        """Hand over a record without waiting.

        Returns
        -------
        Future
            gives the record's number once it and its snapshots are durable, or raises a `TraceError` that says why they
            are not; it cannot be cancelled

        Raises
        ------
        TraceError
            ``closed``, ``failed``, or ``full``; nothing was taken then
        """
        future = running()
        self._writer.give(Entry((record,), snapshots, future, _first))
        return future

    def post(self, record: Record | Draft | Callable[[], Record], snapshots: Sequence[Snapshot] = ()) -> None:
        """Hand over a record, and let `flush` or `close` tell what goes wrong with it; errors at once as `submit`."""
        self._writer.give(Entry((record,), snapshots))

    def append(self, records: Iterable[Record | Draft | Callable[[], Record]]) -> list[int]:
        """Write records in one transaction, all or none, and wait until they are durable.

        Returns
        -------
        list
            their numbers

        Raises
        ------
        TraceError
            nothing of them was written (``refused``, ``closed``, ``full``), or nobody knows how much (``failed``)
        """
        # Written out here, so that another caller's records can be put to the disk meanwhile.
        drafts = [draft_of(record) if isinstance(record, Mapping) else record for record in records]
        future = running()
        self._writer.give(Entry(drafts, (), future))
        numbers: list[int] = future.result()
        return numbers

    def put_snapshot(self, kind: str, id: str, make: Callable[[], bytes]) -> Future[None]:
        """Store content under an id, once; `submit` with snapshots does it together with the record that needs it, so
        that retention cannot remove it before.
        """
        future = running()
        self._writer.give(Entry((), ((kind, id, make),), future, _nothing))
        return future

    def flush(self) -> None:
        """Wait until everything handed over before is durable.

        Raises
        ------
        TraceError
            the store's failure, or the first error of what was posted and not told yet
        """
        try:
            self._writer.do(lambda: None).result()
        finally:
            self._writer.raise_untold()

    def checkpoint(self) -> Checkpoint:
        """Sign how far the log has come now, and keep that in the store as well.

        Raises
        ------
        TraceError
            ``refused``: there is no key, or no record yet
        """
        return self._writer.do(self._seal).result()

    def retain(self, before: datetime) -> Stub | None:
        """Remove the longest beginning of the log that is all older than a moment, and leave one signed stub.

        Returns
        -------
        Stub or None
            what stands for all that was ever removed; ``None`` where nothing was

        Raises
        ------
        TraceError
            ``refused``: there is no key to sign with
        """
        text, last = moment(before), self.last_before(before)
        while self._writer.do(lambda: remove_step(self._ledger, last, text)).result() is not None:
            pass
        return self.stub()

    def close(self) -> None:
        """Write what waits, sign a last checkpoint, and let go of the files.

        Raises
        ------
        TraceError
            as `flush`
        """
        atexit.unregister(self._at_exit)
        super().close()
        self._writer.close()

    def _seal(self) -> Checkpoint:
        ledger = self._ledger
        if ledger.signer is None:
            raise TraceError("a checkpoint needs a signing key")
        if ledger.seq == 0:
            raise TraceError("there is no record yet that a checkpoint could be about")
        there = ledger.last_checkpoint()
        if there is not None:
            return there
        made = ledger.write((), seal=True)
        if made is None:
            raise RuntimeError("there is no checkpoint where one should be")
        self._writer.sealed(made)
        return made


def _first(numbers: list[int]) -> int:
    return numbers[0]


def _nothing(numbers: list[int]) -> None:
    return None


def _opened(path: str, open: Callable[[], T]) -> T:
    """Say of any error which trace it kept from being opened."""
    try:
        return open()
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(f"the trace {path} cannot be opened: {error}", "failed") from error


def _close(store: TraceStore | None) -> None:
    if store is not None:
        store.close()
