"""Threads that rank pieces of a batch, while whoever gave them pieces makes further ones ready."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType

Work = Callable[[], None]


class Crew:
    """Threads for the length of a ``with`` block; at its end its own thread helps until all is done.

    Where a piece fails, those not begun are dropped, and the block raises its error once every thread has ended: memory
    that pieces write to may then be given back.

    Parameters
    ----------
    threads
        the most threads at work, the block's own among them
    """

    def __init__(self, threads: int) -> None:
        self._threads = max(1, threads)
        self._pieces: SimpleQueue[Work | None] = SimpleQueue()
        self._helpers: list[threading.Thread] = []
        self._failures: list[BaseException] = []

    def __enter__(self) -> Crew:
        return self

    def give(self, piece: Work) -> None:
        """Have a piece of work done at some time before the block ends."""
        self._pieces.put(piece)
        if len(self._helpers) < self._threads - 1:
            helper = threading.Thread(target=self._help, name="tenantrank", daemon=True)
            self._helpers.append(helper)
            helper.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            self._failures.append(error)
        try:
            self._work()
        finally:
            for _helper in self._helpers:
                self._pieces.put(None)
            for helper in self._helpers:
                helper.join()
        if self._failures and error is None:
            raise self._failures[0]

    def _work(self) -> None:
        """Do what there is to do."""
        try:
            while (piece := self._pieces.get_nowait()) is not None:
                self._do(piece)
        except Empty:
            pass

    def _help(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._do(piece)

    def _do(self, piece: Work) -> None:
        if self._failures:
            return
        try:
            piece()
        except BaseException as failure:
            self._failures.append(failure)
