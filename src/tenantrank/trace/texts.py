"""Writing canonical texts fast: equal to the standard library's encoder, at a fraction of its cost.

Three things make it so. Parts that many records share are written once (`Fixed`, `FixedList`). An object's names are
sorted and quoted once for all objects that have the same names in the same order; of each, only the values are left to
write. And values go by their exact type to what writes them; what is of no such type, a subclass or something that JSON
does not have, is left to the standard library's encoder as it always was.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple, TypeVar

from tenantrank.trace.chain import VERSION

_SHAPES, _LONGEST_SHAPE, _NUMBERS = 1024, 64, 16_384
"""Objects' names, how many of one object, and numbers that are remembered."""

# What refers to itself ends as a RecursionError, too.
PLAIN = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, sort_keys=True, separators=(",", ":")
)
"""The definition: everything here writes what this does."""


def encoder() -> Callable[[Any], str]:
    """Give what encodes: the standard library's encoder, made once instead of at each call where it can be."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    quote: Any = getattr(json.encoder, "c_encode_basestring", None)
    sample = {"é": [1.5, None, True, "\x1b"], "a": {"b": -1e-7}}
    try:
        once = make(None, PLAIN.default, quote, None, ":", ",", True, False, False)
        if quote is not None and "".join(once(sample, 0)) == PLAIN.encode(sample):
            return lambda value: "".join(once(value, 0))
    except TypeError:
        pass
    return PLAIN.encode


encode = encoder()
_quote: Callable[[str], str] = getattr(json.encoder, "c_encode_basestring", None) or PLAIN.encode
_S = TypeVar("_S")


class Fixed(dict[str, Any]):
    """A part of records that many of them share, such as a policy, and that nobody changes: its text is made once.

    It reads as the mapping it was made of, and is written as that.

    Attributes
    ----------
    text : the canonical text, made on first use
    found : what was worked out from it, by what did so
    """

    __slots__ = ("found", "text")
    found: dict[Any, Any]
    text: str

    def __getattr__(self, name: str) -> Any:
        return _first(self, name)


class FixedList(list[Any]):
    """As `Fixed`, of an array."""

    __slots__ = ("found", "text")
    found: dict[Any, Any]
    text: str

    def __getattr__(self, name: str) -> Any:
        return _first(self, name)


def _first(part: Fixed | FixedList, name: str) -> Any:
    # Called for what is not there alone, which these two are not before their first use.
    if name == "text":
        part.text = encode(part)
        return part.text
    if name == "found":
        part.found = {}
        return part.found
    raise AttributeError(name)


def once(part: Any, work_out: Callable[[Any], Any]) -> Any:
    """Give what a function gives for a part of records: worked out once where the part is a fixed one."""
    if type(part) is not Fixed and type(part) is not FixedList:
        return work_out(part)
    found = part.found
    if work_out not in found:
        found[work_out] = work_out(part)
    return found[work_out]


class _Numbers(dict[float, str]):
    """Texts of doubles met lately: scores and prices recur, and the shortest decimal takes long to find."""

    def __missing__(self, number: float) -> str:
        text = encode(number)  # Refuses NaN and infinity.
        if number:  # The two zeros are one key and two texts.
            if len(self) >= _NUMBERS:
                self.clear()
            self[number] = text
        return text


class _Shape(NamedTuple):
    """What objects with the same names have in common.

    Attributes
    ----------
    values : gives an object's values in the order of their names
    text : the object's text with ``%s`` in the place of each value
    """

    values: Callable[[Any], tuple[Any, ...]]
    text: str


class _RecordShape(NamedTuple):
    """What records with the same names have in common.

    Attributes
    ----------
    values : gives a record's values in the order of their names
    number, time : before how many of these the record's number and its time go
    before, between, after : the texts around those two, with ``%s`` in the place of each value
    """

    values: Callable[[Any], tuple[Any, ...]]
    number: int
    time: int
    before: str
    between: str
    after: str


def text_of(value: Any) -> str:
    """Give the canonical text of a value; see `tenantrank.trace.canonical`.

    Raises
    ------
    TypeError, ValueError, RecursionError
        for what JSON does not have
    """
    try:
        return _WRITERS[type(value)](value)
    except RecursionError:
        return encode(value)  # Which goes deeper.


def text_around(record: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Give the text of a record that has no number and no time yet: what comes before, between and after these two.

    Raises
    ------
    TypeError, ValueError, RecursionError
        for what JSON or UTF-8 does not have
    """
    names = tuple(record)
    shape = _RECORDS.get(names) or _remembered(_RECORDS, names, _shape_of_records(names))
    values = shape.values(record)
    try:
        texts = tuple([_WRITERS[type(value)](value) for value in values])
    except RecursionError:
        texts = tuple([encode(value) for value in values])
    number, time = shape.number, shape.time
    before = shape.before % texts[:number]
    return before.encode(), (shape.between % texts[number:time]).encode(), (shape.after % texts[time:]).encode()


_LIST, _TWO = {list}, {2}
_OBJECTS: dict[tuple[str, ...], _Shape] = {}
_RECORDS: dict[tuple[str, ...], _RecordShape] = {}


def _shape(names: tuple[str, ...]) -> _Shape:
    order = sorted(names)
    return _Shape(_picker(order), "{" + ",".join([_member(name) for name in order]) + "}")


def _shape_of_records(names: tuple[str, ...]) -> _RecordShape:
    order = sorted(names)
    members = {name: _member(name) for name in order}
    members |= {"seq": '"seq":\0', "time": '"time":"\0"', "v": f'"v":{_quote(VERSION)}'}
    text = "{" + ",".join([members[name] for name in sorted(members)]) + "}"
    # No name has a zero byte in its text.
    before, between, after = text.split("\0")
    return _RecordShape(_picker(order), bisect(order, "seq"), bisect(order, "time"), before, between, after)


def _member(name: str) -> str:
    return _quote(name).replace("%", "%%") + ":%s"


def _picker(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda value: tuple([value[name] for name in names])


def _remembered(shapes: dict[tuple[str, ...], _S], names: tuple[str, ...], shape: _S) -> _S:
    if len(names) <= _LONGEST_SHAPE:
        if len(shapes) >= _SHAPES:
            shapes.clear()
        shapes[names] = shape
    return shape


def _object(value: dict[Any, Any]) -> str:
    names = tuple(value)
    shape = _OBJECTS.get(names)
    if shape is None:
        if len(names) > _LONGEST_SHAPE or not all(type(name) is str for name in names):
            return encode(value)
        shape = _remembered(_OBJECTS, names, _shape(names))
    return shape.text % tuple([_WRITERS[type(each)](each) for each in shape.values(value)])


def _array(values: Sequence[Any]) -> str:
    if values and set(map(type, values)) == _LIST and set(map(len, values)) == _TWO:
        # As offers with their scores are.
        return "[" + ",".join([f"[{_WRITERS[type(a)](a)},{_WRITERS[type(b)](b)}]" for a, b in values]) + "]"
    return "[" + ",".join([_WRITERS[type(each)](each) for each in values]) + "]"


class _Writers(dict[type, Callable[[Any], str]]):
    def __missing__(self, kind: type) -> Callable[[Any], str]:
        return encode


_WRITERS = _Writers(
    {
        str: _quote,
        int: repr,
        float: _Numbers().__getitem__,
        bool: {True: "true", False: "false"}.__getitem__,
        type(None): {None: "null"}.__getitem__,
        list: _array,
        tuple: _array,
        dict: _object,
        Fixed: attrgetter("text"),
        FixedList: attrgetter("text"),
    }
)
