"""Threads that rank pieces of a batch, while whoever gave them pieces makes further ones ready."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType

Work = Callable[[], None]

_IDLE_S = 5.0  # how long a thread without work waits for some before it ends


class Crew:
    """Threads for the length of a ``with`` block; at its end its own thread helps until all is done.

    Where a piece fails, those not begun are dropped, and the block raises its error once no thread is at work any more:
    memory that pieces write to may then be given back.

    Parameters
    ----------
    threads
        the most threads at work, the block's own among them

    Attributes
    ----------
    threads : the same; fewer where there are no more to be had
    """

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pieces: SimpleQueue[Work | None] = SimpleQueue()
        self._helpers: list[_Helper] = []
        self._to_begin: list[_Helper] = []  # those that have not heard the call yet
        self._ended: SimpleQueue[None] = SimpleQueue()
        self._failures: list[BaseException] = []

    def __enter__(self) -> Crew:
        return self

    def give(self, piece: Work) -> None:
        """Have a piece of work done at some time before the block ends; at once where no other thread could do it."""
        if len(self._helpers) < self.threads - 1:
            helper = _free_helper()
            if helper is None:
                self.threads = 1 + len(self._helpers)  # there are no more; those there are do it all
            else:
                self._helpers.append(helper)
                self._to_begin.append(helper)
                helper.calls.put(self)
        if self.threads == 1:
            piece()
        else:
            self._pieces.put(piece)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._failures.append(error)
        for _helper in self._helpers:
            self._pieces.put(None)  # behind all pieces: who meets it has nothing left to do
        try:
            self._work()
        finally:
            at_work = [helper for helper in self._helpers if not self.begin(helper)]
            # A thread that has not woken yet is not waited for: there is nothing left for it.
            _idle.extend([helper for helper in self._helpers if helper not in at_work])
            for _helper in at_work:
                self._ended.get()
        if self._failures and error is None:
            raise self._failures[0]

    @property
    def failed(self) -> bool:
        """Whether a piece has failed, so that what else there is need not be done."""
        return bool(self._failures)

    def begin(self, helper: _Helper) -> bool:
        """Have a thread that was called begin, or none in its place; say whether it had not yet."""
        try:
            self._to_begin.remove(helper)
        except ValueError:
            return False
        return True

    def help(self) -> None:
        """Do pieces until there are no more; for a thread that has begun, which then calls `ended`."""
        while (piece := self._pieces.get()) is not None:
            self._do(piece)

    def ended(self) -> None:
        """Have the block's own thread know that another is at work no more."""
        self._ended.put(None)

    def _work(self) -> None:
        """Do what there is to do."""
        try:
            while (piece := self._pieces.get_nowait()) is not None:
                self._do(piece)
        except Empty:
            return
        self._pieces.put(None)  # another thread's

    def _do(self, piece: Work) -> None:
        if self._failures:
            return
        try:
            piece()
        except BaseException as failure:
            self._failures.append(failure)


class _Helper(threading.Thread):
    """A thread that helps one crew after the other, and ends when none has called it for a while.

    Starting a thread takes as long as ranking a hundred policies; waking one that waits, a tenth of that.
    """

    def __init__(self) -> None:
        super().__init__(name="tenantrank", daemon=True)
        self.calls: SimpleQueue[Crew] = SimpleQueue()

    def run(self) -> None:
        while (crew := self._next()) is not None:
            if crew.begin(self):
                crew.help()
                # Before the block ends, since another may follow at once.
                _idle.append(self)
                crew.ended()
            del crew  # or the memory of its batch would be kept

    def _next(self) -> Crew | None:
        while True:
            try:
                return self.calls.get(timeout=_IDLE_S)
            except Empty:
                try:
                    _idle.remove(self)
                except ValueError:  # called just now
                    continue
                return None


_idle: list[_Helper] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # a child has none of its parent's threads


def _free_helper() -> _Helper | None:
    """Give a thread that is idle, or else a new one; ``None`` where there can be no more."""
    try:
        return _idle.pop()
    except IndexError:
        helper = _Helper()
        try:
            helper.start()
        except RuntimeError:  # the system has no more, or the interpreter is about to end
            return None
        return helper
