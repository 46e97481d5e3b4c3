"""A bounded memory of what was made last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """The most recently used values by key, at most ``limit``, made on demand. Safe to use from several threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
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
            value = self._values.setdefault(key, made)
            if len(self._values) > self._limit:
                self._values.popitem(last=False)
            return value
