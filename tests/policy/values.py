"""Values that an argument may be given: all kinds of JSON, what is not JSON, and what is made to do harm."""

from __future__ import annotations

import math
import weakref
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

SECRET = "foreign code ran"


def _explode(*_: Any, **__: Any) -> NoReturn:
    raise ZeroDivisionError(SECRET)


_HOOKS = """
    __repr__ __str__ __format__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__ __len__ __iter__ __next__
    __getitem__ __contains__ __reversed__ __int__ __index__ __float__ __abs__ __bytes__ __buffer__ __sizeof__
    __getattr__ __reduce_ex__ __deepcopy__ __copy__ encode decode items keys values get translate isascii
"""
_HOOKED: dict[str, Any] = dict.fromkeys(_HOOKS.split(), _explode)


class _Meta(type):
    __eq__ = __instancecheck__ = __subclasscheck__ = __repr__ = __str__ = _explode
    __name__ = property(_explode)
    __hash__ = type.__hash__


def hostile(base: type, *arguments: Any) -> Any:
    """An instance of a subclass of a type, every hook of which raises."""
    members = {**_HOOKED, "__hash__": base.__hash__, "__class__": property(_explode)}
    return _Meta("Hostile", (base,), members)(*arguments)


class Collides:
    """A key that hashes like a string and raises when compared."""

    def __init__(self, text: str) -> None:
        self._hash = hash(text)

    def __hash__(self) -> int:
        return self._hash

    __eq__ = _explode
    __repr__ = _explode


# Every kind of JSON value, and numbers that JSON cannot hold: which slot takes which, the reference says.
JSON_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2.0,
    1.5,
    2**53,
    -(2**53),
    1e308,
    math.nan,
    math.inf,
    -math.inf,
    "",
    "word",
    "le",
    "price_in",
    "no_log",
    "partner",
    "1",
    "top",
    "\ud800",
    "a\udfffb",
    "x" * 10_000,
    "line\nbreak\x00",
    [],
    {},
    [[]],
    [None],
    ["word"],
    ["\ud800"],
    [1],
    [{}],
    [{"a": 1}],
    [{"a": True}],
    [{"a": math.nan}],
    [{"a": {"b": 1}}],
    [{"\ud800": 1}],
    ["top"],
    ["zero"],
    ["argmax"],
    ["id"],
    ["always", {"action": "next_candidate"}],
    ["top", 1],
    ["nope"],
    [["top"]],
    ["x" * 10_000],
    {"provider": "p", "model": "m"},
    [{"provider": "p", "model": "m"}],
    [{"provider_id": "p", "model_family": "m"}],
    [{"provider": "p"}],
    [{"model": "m"}],
    [{"provider": "p", "model": 1}],
    [{"provider": None, "model": "m"}],
    [{"provider": "p", "model": "m", "extra": "x"}],
    [{"provider": "p", "model": "m", "a\nb": "x"}],
    {"action": "abort"},
    {"action": "explode"},
    {"action": None},
    {"action": ["abort"]},
    {"attempts": 1},
    {"action": "abort", "then_action": "abort"},
    {"action": "abort", "then_action": 1},
    {"action": "abort", "attempts": True},
    {"action": "abort", "attempts": math.inf},
    {"action": "abort", "attempts": [1]},
    {"action": "abort", "backoff_ms": []},
    {"action": "abort", "backoff_ms": [1, 2.5]},
    {"action": "abort", "backoff_ms": [1, "2"]},
    {"action": "abort", "backoff_ms": [[1]]},
    {"action": "abort", "backoff_ms": {"a": 1}},
    {"action": "abort", "backoff_ms": None},
    {"action": "abort", "open_breaker_ms": "1"},
    {"action": "abort", "anything": -1},
    {"action": "abort", "anything": []},
    {"action": "abort", "a\nb": "x", "c": None},
    {"action": "abort", "y" * 10_000: "x"},
    {"action": "abort", "\ud800": 1},
]


class Colour(IntEnum):
    RED = 1


class Word(StrEnum):
    TOP = "top"


class Thing:
    pass


THING = Thing()

# Python values that are not JSON, whatever they look like: refused in every slot.
FOREIGN_VALUES: list[Any] = [
    10**400,
    -(10**5000),
    2**53 + 1,
    -(2**53) - 1,
    1j,
    Decimal(1),
    Fraction(1, 2),
    Colour.RED,
    Word.TOP,
    b"word",
    bytearray(b"word"),
    memoryview(b"word"),
    (),
    ("top",),
    ({"provider": "p", "model": "m"},),
    {1},
    frozenset({"a"}),
    range(3),
    iter([1]),
    (value for value in [1]),
    object(),
    THING,
    weakref.proxy(THING),
    type,
    Thing,
    len,
    ...,
    NotImplemented,
    np.float64(1.0),
    np.int64(1),
    np.bool_(True),
    np.str_("word"),
    np.array([1.0]),
    np.array(["top"]),
    np.float64("nan"),
    type("many\nlines" * 100, (), {})(),
    {1: 2},
    {None: 1},
    {b"action": "abort"},
    {("action",): 1},
    {"action": "abort", 1: 2},
    {"action": "abort", "x": np.float64(1)},
    {Collides("action"): "abort"},
    {Collides("provider"): "p", Collides("model"): "m"},
    [{Collides("provider"): "p", Collides("model"): "m"}],
    [{"provider": "p", "model": hostile(str, "m")}],
    hostile(object),
    hostile(list, ["top"]),
    hostile(dict, {"action": "abort"}),
    hostile(str, "word"),
    hostile(int, 1),
    hostile(float, 1.0),
    hostile(tuple, ("top",)),
    [hostile(str, "top")],
    [hostile(dict, {})],
    {"action": hostile(str, "abort")},
    {"action": "abort", "backoff_ms": hostile(list, [1])},
    {"action": "abort", "attempts": hostile(int, 1)},
]
