"""A bounded memory of what was made last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """The most recently used values by key, made on demand. Safe to use from several threads.

    Parameters
    ----------
    limit
        the most that all values together may weigh
    weight
        what a value weighs; 1 each unless given
    """

    def __init__(self, limit: int, weight: Callable[[_Value], int] = lambda _: 1) -> None:
        self._limit = limit
        self._weight = weight
        self._held = 0
        self._values: OrderedDict[Any, _Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], _Value]) -> _Value:
        """Give the value of a key, making it where it is not held; two threads may both make it, and one is kept."""
        with self._lock:
            value = self._values.get(key)
            if value is not None:
                self._values.move_to_end(key)
                return value
        made = make()
        with self._lock:
            value = self._values.get(key)
            if value is None:
                value = self._values[key] = made
                self._held += self._weight(made)
                while self._held > self._limit and len(self._values) > 1:
                    _, oldest = self._values.popitem(last=False)
                    self._held -= self._weight(oldest)
            return value
