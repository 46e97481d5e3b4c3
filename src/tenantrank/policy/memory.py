"""A bounded memory of what was worked out before, which forgets what has not been asked for in a while."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Memory(Generic[_Value]):
    """Values by key, in two generations: when the recent one is full it becomes the older one, which is forgotten.

    So at most twice the limits are kept. Threads may share a memory; finding a recent value takes no lock, and of two
    threads that keep a value under one key both are given the first.

    Parameters
    ----------
    entries
        most values in a generation
    room
        most that the values of a generation may take, in the units that `keep` is told; a value that alone would take
        more than an eighth of it is not kept

    Attributes
    ----------
    recent : the recent generation, each value with the room that it takes: for who cannot wait for `find`, and asks it
        for what is not there
    """

    __slots__ = ("_entries", "_left", "_lock", "_older", "_room", "recent")

    def __init__(self, entries: int = 2048, room: int = 32 * 1024 * 1024) -> None:
        self._entries = entries
        self._room = self._left = room
        self.recent: dict[Hashable, tuple[_Value, int]] = {}
        self._older: dict[Hashable, tuple[_Value, int]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.recent) + len(self._older)

    def find(self, key: Hashable) -> _Value | None:
        """Give the value kept under a key, ``None`` where there is none."""
        found = self.recent.get(key)
        if found is None:
            found = self._older.get(key)
            if found is None:
                return None
            return self.keep(key, *found)
        return found[0]

    def keep(self, key: Hashable, value: _Value, size: int) -> _Value:
        """Keep a value that takes so much room, and give it; where one was kept already, give that one."""
        if size > self._room // 8:
            return value
        with self._lock:
            known = self.recent.get(key)
            if known is None:
                known = self._older.pop(key, None) or (value, size)
                if len(self.recent) >= self._entries or known[1] > self._left:
                    self._older, self.recent, self._left = self.recent, {}, self._room
                self.recent[key] = known
                self._left -= known[1]
            return known[0]
