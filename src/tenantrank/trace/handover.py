"""Handing things over to a thread that works on them in turn, at next to no cost for whoever hands over.

The thread looks for work by itself while there has been some lately, so that a busy program never has to wake it; it
gives way often, so that a caller who waits for the interpreter gets it soon; and what waits is bounded: who would hand
over more waits for room. Nothing is dropped.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from tenantrank.errors import TraceError

_LOOK_S, _LOOKS = 0.004, 250
"""How often the thread looks for work without being woken, and how many times before it sleeps."""
_SLICE = 8  # things worked on at a stretch


class HandOver:
    """A bounded queue and the thread that empties it. Safe to use from several threads.

    Parameters
    ----------
    take
        works on one thing, on the thread; raises nothing
    most
        things that may wait

    Attributes
    ----------
    failure : why nothing is taken any more; ``None`` while it is
    """

    def __init__(self, take: Callable[[Any], None], most: int) -> None:
        self.failure: TraceError | None = None
        self._take = take
        self._most = most
        self._queue: deque[Any] = deque()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._asleep = self._crowded = self._ended = False
        self._thread = threading.Thread(target=self._work, name="tenantrank-trace", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many things wait."""
        return len(self._queue)

    def give(self, thing: Any, urgent: bool = False) -> None:
        """Hand something over, to be worked on at once where it is urgent, and else within some milliseconds.

        Raises
        ------
        TraceError
            the failure, or ``closed`` after the end
        """
        if self.failure is not None:
            raise self.failure
        queue = self._queue
        if len(queue) >= self._most:
            self._wait_for_room()
        queue.append(thing)
        if urgent or self._asleep:
            self._wake.set()
        if self._ended:
            raise TraceError("the trace was closed in the meantime; whether this is recorded is not known", "closed")

    def fail(self, error: TraceError) -> None:
        """Take nothing from now on, and tell everyone who hands over or waits to."""
        if self.failure is None:
            self.failure = error
        self._make_room()

    def end(self) -> None:
        """Work on what waits, and end the thread."""
        self._ended = True
        self._wake.set()
        self._thread.join()
        while self._queue:
            self._take(self._queue.popleft())

    def _wait_for_room(self) -> None:
        """Wait until half of what waits is taken, so that a caller is not stopped again at once."""
        with self._room:
            while len(self._queue) >= self._most and self.failure is None:
                self._crowded = True
                self._wake.set()
                self._room.wait()
        if self.failure is not None:
            raise self.failure

    def _make_room(self) -> None:
        with self._room:
            self._crowded = False
            self._room.notify_all()

    def _work(self) -> None:
        quiet = 0
        while True:
            self._wake.clear()
            # Looked at after it was cleared: who hands over something urgent from now on sets it again.
            quiet = 0 if self._drain() else quiet + 1
            if self._ended:
                return
            if quiet <= _LOOKS:
                self._wake.wait(_LOOK_S)
                continue
            self._asleep = True
            # Looked at after it was said: who hands over anything from now on wakes the thread.
            if not self._queue:
                self._wake.wait()
            self._asleep = False
            quiet = 0

    def _drain(self) -> bool:
        """Work on what waits; say whether there was anything."""
        queue, taken = self._queue, 0
        while True:
            if self._crowded and len(queue) <= self._most // 2:
                self._make_room()
            if not queue:
                return taken > 0
            self._take(queue.popleft())
            taken += 1
            if taken % _SLICE == 0:
                time.sleep(0)
