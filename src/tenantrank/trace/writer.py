"""The one thread that writes: what is handed over waits in a queue, and becomes durable in groups.

There is no delay to gather a group: while one is being synced, the next one gathers. What waits is bounded; when it is
too much, or the disk fails, whoever hands over more is told at once. After any error of the database the writer takes
nothing any more: what a failed sync left on the disk is not known, and trying again could claim what is not there.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from tenantrank.errors import TraceError
from tenantrank.trace.checkpoints import Checkpoint
from tenantrank.trace.ledger import Entry, Ledger

T = TypeVar("T")

_GROUP = 1024  # records of one transaction, but for an entry that has more
_STOP: Any = object()


class _Task:
    """Something to do between transactions."""

    __slots__ = ("do", "future")

    def __init__(self, do: Callable[[], Any]) -> None:
        self.do = do
        self.future = running()


class Writer:
    """A queue and the thread that empties it. Safe to use from several threads.

    Parameters
    ----------
    ledger
        used by the writer's thread alone from now on
    most
        records that may wait
    told
        is told of each checkpoint, on the writer's thread
    clock, seconds
        where both are given, a checkpoint is made when the last one is that old and there are records after it
    end
        called on the writer's thread as the last thing, whatever happened
    """

    def __init__(
        self,
        ledger: Ledger,
        most: int,
        told: Callable[[Checkpoint], None] | None,
        clock: Callable[[], float] | None,
        seconds: float | None,
        end: Callable[[], None],
    ) -> None:
        self.failure: TraceError | None = None
        self._ledger, self._most, self._told, self._end = ledger, most, told, end
        self._seconds = seconds or 0.0
        self._clock = None if seconds is None or ledger.signer is None else clock
        self._due = 0.0 if self._clock is None else self._clock() + self._seconds
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        self._untold: list[TraceError] = []
        self._lost = 0
        self._thread = threading.Thread(target=self._run, name="tenantrank-trace-writer", daemon=True)
        self._thread.start()

    def give(self, entry: Entry) -> None:
        """Queue an entry.

        Raises
        ------
        TraceError
            ``closed``, ``failed`` or ``full``; the entry was not taken then
        """
        count = len(entry.records)
        with self._lock:
            self._check_open()
            if self._waiting >= self._most:
                raise TraceError(f"{self._waiting:,} records wait for the disk, and no more can", "full")
            self._waiting += count
            self._queue.put(entry)

    def do(self, task: Callable[[], T]) -> Future[T]:
        """Have something done on the writer's thread, after all that was given before."""
        job = _Task(task)
        with self._lock:
            self._check_open()
            self._queue.put(job)
        return job.future

    def raise_untold(self) -> None:
        """Raise what went wrong with entries that had no future, once.

        Raises
        ------
        TraceError
            the store's failure, or else the first refusal not told yet
        """
        with self._lock:
            untold, lost = self._untold, self._lost
            self._untold, self._lost = [], 0
            failure = self.failure
        if failure is not None:
            what = f"; {lost} records that nobody waited for are not kept" if lost else ""
            raise TraceError(f"{failure}{what}", "failed") from failure
        if untold:
            more = f" (and {lost - 1} more)" if lost > 1 else ""
            raise TraceError(f"{untold[0]}{more}", untold[0].why) from untold[0]

    def close(self) -> None:
        """Write what waits, and end the thread; the first time, tell what `raise_untold` tells."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(_STOP)
        self._thread.join()
        self.raise_untold()

    def _check_open(self) -> None:
        if self.failure is not None:
            raise TraceError(str(self.failure), "failed") from self.failure
        if self._closed:
            raise TraceError("the trace is closed", "closed")
        if not self._thread.is_alive():
            # As in a child process after a fork, which has no such thread.
            raise TraceError("the trace's writer does not run in this process: open the trace here", "failed")

    def _run(self) -> None:
        try:
            while True:
                entries, then = self._gather()
                if entries:
                    self._write(entries)
                if isinstance(then, _Task):
                    self._perform(then)
                if then is _STOP:
                    break
                self._keep_up()
        finally:
            if self.failure is None:
                self._guarded(self._finish)
            self._guarded(self._end)

    def _gather(self) -> tuple[list[Entry], Any]:
        """Wait for something to do; give entries for one transaction, and what comes after them."""
        entries: list[Entry] = []
        count = 0
        try:
            given = self._queue.get(timeout=self._patience())
            while isinstance(given, Entry):
                entries.append(given)
                count += len(given.records)
                if count >= _GROUP:
                    return entries, None
                given = self._queue.get_nowait()
        except queue.Empty:
            return entries, None
        return entries, given

    def _patience(self) -> float | None:
        if self._clock is None or self._ledger.seq == self._ledger.sealed or self.failure is not None:
            return None
        return max(0.0, self._due - self._clock())

    def _write(self, entries: Sequence[Entry]) -> None:
        if self.failure is None:
            try:
                checkpoint = self._ledger.write(entries)
            except BaseException as error:
                self._fail(error)
            else:
                self.sealed(checkpoint)
        # Read once: what is told to each must not depend on when it is told.
        failure = self.failure
        with self._lock:
            self._waiting -= sum(len(entry.records) for entry in entries)
            for entry in entries:
                if failure is not None:
                    entry.outcome = failure
                if entry.future is None and isinstance(entry.outcome, TraceError):
                    self._leave_untold(entry.outcome, len(entry.records))
        for entry in entries:
            if entry.future is not None:
                _settle(entry.future, entry.answer(entry.outcome) if isinstance(entry.outcome, list) else entry.outcome)

    def _perform(self, task: _Task) -> None:
        if self.failure is not None:
            return _settle(task.future, self.failure)
        try:
            result = task.do()
        except TraceError as error:
            # Told to whoever asked; tasks raise these before they change anything.
            return _settle(task.future, error)
        except BaseException as error:
            self._fail(error)
            return _settle(task.future, self.failure)
        return _settle(task.future, result)

    def _keep_up(self) -> None:
        """Do what is due when records are already told to be durable: the log's checkpoint, and SQLite's."""
        if self.failure is not None:
            return
        try:
            if self._clock is not None and self._ledger.seq > self._ledger.sealed and self._clock() >= self._due:
                self.sealed(self._ledger.write((), seal=True))
                self._due = self._clock() + self._seconds
            self._ledger.tidy()
        except BaseException as error:
            self._fail(error)

    def _finish(self) -> None:
        if self._ledger.signer is not None and self._ledger.seq > self._ledger.sealed:
            self.sealed(self._ledger.write((), seal=True))
        self._ledger.tidy(whole=True)

    def sealed(self, checkpoint: Checkpoint | None) -> None:
        """Tell of a checkpoint that was made; on the writer's thread."""
        if checkpoint is None:
            return
        if self._clock is not None:
            self._due = self._clock() + self._seconds
        if self._told is not None:
            try:
                self._told(checkpoint)
            except Exception as error:
                with self._lock:
                    self._leave_untold(TraceError(f"a checkpoint could not be handed on: {error}", "failed"), 1)

    def _leave_untold(self, error: TraceError, count: int) -> None:
        self._lost += count
        if not self._untold:
            self._untold.append(error)

    def _guarded(self, do: Callable[[], None]) -> None:
        try:
            do()
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Take nothing from now on. The transaction is left to end with the connection."""
        failure = TraceError(
            f"the trace cannot be written and takes nothing until it is opened again: {error}", "failed"
        )
        failure.__cause__ = error
        with self._lock:
            if self.failure is None:
                self.failure = failure


def running() -> Future[Any]:
    """Give a future that cannot be cancelled: what was handed over is written, whoever waits for it."""
    future: Future[Any] = Future()
    future.set_running_or_notify_cancel()
    return future


def _settle(future: Future[Any], outcome: Any) -> None:
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
