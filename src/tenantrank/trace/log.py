"""The log of a program that ranks: decisions are handed over, and a thread of the log's own records them.

Handing over costs the caller a few microseconds at most, since all work is done elsewhere: what a record says is worked
out, written as JSON, hashed and made durable by other threads. Nothing is dropped: where records come faster than
they can be written, the caller waits.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from tenantrank.engine import Decision
from tenantrank.errors import TraceError
from tenantrank.tenants import CompiledPolicy, Rulebook
from tenantrank.trace.capture import Capture, Snapshot
from tenantrank.trace.handover import HandOver
from tenantrank.trace.record import About, attempts_record
from tenantrank.trace.rows import Draft, draft_of
from tenantrank.trace.store import TraceStore
from tenantrank.trace.writer import running

_Given = tuple[Any, ...]
"""What `_made` makes a record of, or ``None`` and a future, which marks a place in the queue."""


class TraceLog:
    """Records decisions in a store. Safe to use from several threads.

    Parameters
    ----------
    store
        where records go; closed with the log
    version
        of the package that decides
    mask
        fields of a tenant whose values are left out of records
    most
        decisions that may wait to be recorded; a caller that has one more waits for room
    """

    def __init__(self, store: TraceStore, version: str, mask: Collection[str] = (), most: int = 8192) -> None:
        self.store = store
        self._capture = Capture(version, mask)
        self._unsaid: TraceError | None = None
        self._closed = False
        self._handed = HandOver(self._take, most)
        self._give = self._handed.give
        mine = weakref.ref(self)
        self._at_exit: Callable[[], None] = lambda: _close(mine())
        # The thread does not keep a program alive, so what is still to be recorded is waited for here.
        atexit.register(self._at_exit)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _forked(mine()))

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        wall: Callable[[], datetime],
        log_id_bits: Callable[[int], bytes],
        mask: Collection[str] = (),
        most: int = 8192,
        **options: Any,
    ) -> TraceLog:
        """Open the store at a path, which is made where there is none, and a log that writes to it.

        Parameters
        ----------
        path
            of the store's file
        wall
            gives the moment in UTC, as ``lambda: datetime.now(timezone.utc)`` does
        log_id_bits
            gives so many random bytes, as ``os.urandom`` does
        mask, most
            as for the log
        options
            further ones of `TraceStore.open`, such as ``signer``

        Raises
        ------
        TraceError
            where the store cannot be opened, or another writer has it
        """
        from tenantrank import __version__

        store = TraceStore.open(path, wall=wall, log_id_bits=log_id_bits, **options)
        return cls(store, __version__, mask, most)

    def record(
        self,
        decision: Decision,
        id: str,
        tenant: str | None = None,
        caller: str | None = None,
        label: str | None = None,
        compiled: CompiledPolicy | None = None,
        rulebook: Rulebook | None = None,
        source: str = "library",
    ) -> None:
        """Hand over a decision to be recorded, without waiting for it.

        Parameters
        ----------
        decision
            as `Engine.rank` gave it
        id
            of the record; no two decisions have the same
        tenant, caller, label
            as whom and under what name the call came
        compiled, rulebook
            the policy as the rulebook compiled it, and the rulebook: the record then names all rules that applied
        source
            how the rule came

        Raises
        ------
        TraceError
            where the log is closed, or has failed: then nothing is recorded any more, and this is told at each call.
            What goes wrong with this record later is told by `flush` and `close`
        """
        self._give((decision, id, tenant, caller, label, source, compiled, rulebook, None))

    def submit(
        self,
        decision: Decision,
        id: str,
        tenant: str | None = None,
        caller: str | None = None,
        label: str | None = None,
        compiled: CompiledPolicy | None = None,
        rulebook: Rulebook | None = None,
        source: str = "library",
    ) -> Future[int]:
        """Hand over a decision as `record` does; the future gives the record's number once it is durable, or the error
        that kept it from being so.
        """
        future: Future[int] = running()
        self._give((decision, id, tenant, caller, label, source, compiled, rulebook, future), urgent=True)
        return future

    def attempts(self, of: str, attempts: Iterable[Mapping[str, Any]], **facts: Any) -> None:
        """Hand over what followed the decision recorded as ``of``; see `record.attempts_record` for what it may say."""
        self._give((attempts_record(of, attempts, **facts),))

    @property
    def waiting(self) -> int:
        """How many decisions and the like wait to be recorded."""
        return self._handed.waiting

    def flush(self) -> None:
        """Wait until everything handed over before is durable.

        Raises
        ------
        TraceError
            the first error that was not told yet: what the log was handed is then not all recorded
        """
        given: Future[None] = running()
        self._give((None, given), urgent=True)
        given.result()
        self.store.flush()
        unsaid, self._unsaid = self._unsaid, None
        if unsaid is not None:
            raise unsaid

    def close(self) -> None:
        """Record what is waiting, and close the store; errors as `flush`."""
        if self._closed:
            return
        atexit.unregister(self._at_exit)
        try:
            self.flush()
        finally:
            self._closed = True
            self._handed.end()
            self._handed.fail(TraceError("the log is closed", "closed"))
            self.store.close()

    def __enter__(self) -> TraceLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _take(self, given: _Given) -> None:
        future: Future[Any] | None = given[-1] if isinstance(given[-1], Future) else None
        try:
            if given[0] is None:
                assert future is not None
                future.set_result(None)
                return
            if self._handed.failure is not None:
                raise self._handed.failure
            self._send(*self._made(given), future)
        except TraceError as error:
            self._refused(error, future)
        except Exception as error:
            # A decision of which no record can be made is told of like one that cannot be written.
            self._refused(TraceError(f"no record could be made: {type(error).__name__}: {error}"), future)

    def _made(self, given: _Given) -> tuple[Draft, tuple[Snapshot, ...]]:
        if len(given) == 1:
            return draft_of(given[0]), ()
        decision, id_, tenant, caller, label, source, compiled, rulebook, _ = given
        about = About(id_, tenant, caller, label)
        record, snapshots = self._capture.decision(decision, about, compiled, rulebook, source)
        return draft_of(record), snapshots

    def _send(self, draft: Draft, snapshots: tuple[Snapshot, ...], future: Future[int] | None) -> None:
        while True:
            try:
                if future is None:
                    self.store.post(draft, snapshots)
                else:
                    self.store.submit(draft, snapshots).add_done_callback(lambda done: _copy(done, future))
                return
            except TraceError as error:
                if error.why != "full":
                    raise
            # Whoever hands over waits for room here, and nothing is lost.
            self._flush_store()

    def _flush_store(self) -> None:
        try:
            self.store.flush()
        except TraceError as error:
            self._refused(error, None)
            if self._handed.failure is not None:
                raise

    def _refused(self, error: TraceError, future: Future[Any] | None) -> None:
        if error.why in ("failed", "closed"):
            self._handed.fail(error)
        if future is not None:
            future.set_exception(error)
        elif self._unsaid is None:
            self._unsaid = error


def _close(log: TraceLog | None) -> None:
    if log is not None:
        log.close()


def _forked(log: TraceLog | None) -> None:
    """In a child process, whose threads are gone, nothing would be recorded of what is handed over."""
    if log is not None:
        atexit.unregister(log._at_exit)
        elsewhere = "the trace is written by the process that opened it: open it here"
        log._handed.failure = TraceError(elsewhere, "failed")


def _copy(done: Future[int], future: Future[int]) -> None:
    error = done.exception()
    if error is None:
        future.set_result(done.result())
    else:
        future.set_exception(error)
