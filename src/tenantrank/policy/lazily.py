"""Attributes that are worked out when first asked for, and then are plain ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

_Value = TypeVar("_Value")


class lazily(Generic[_Value]):  # noqa: N801 - a decorator
    """As `functools.cached_property`, which before Python 3.12 takes a lock at each first use.

    Two threads may both work a value out, and either is kept; so it must be the same whoever does.
    """

    def __init__(self, work: Callable[[Any], _Value]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> lazily[_Value]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> _Value: ...

    def __get__(self, instance: object | None, owner: type) -> _Value | lazily[_Value]:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work(instance)
        return value
