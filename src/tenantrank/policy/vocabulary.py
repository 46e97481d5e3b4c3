"""The names that terms may use, as admission looks them up: with what each stands for already written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar

from tenantrank.policy.node import Node
from tenantrank.policy.parameters import text
from tenantrank.policy.signature import Fields, Version

_Made = TypeVar("_Made")
_Key = TypeVar("_Key")
_Test: TypeAlias = Callable[[str], bool] | None
_MOST_KEPT = 1024


class Vocabulary:
    """The names that terms of one version may use.

    Of ``flags``, ``columns``, ``numbers`` and ``tiers``, a name that is not declared is a ``KeyError``. They may be
    asked for plain strings only, since a look-up runs a string's own equality.

    Parameters
    ----------
    fields
        the declared fields and tiers, ``None``: any name is a tier, and a field of whichever sort is looked for
    version
        the version of the language

    Attributes
    ----------
    flags, columns : the nodes of `is` and `field` by the name of the field
    numbers, tiers : names of Num fields and of tiers in quotes
    bounds : nodes of `cmp` that were read before, by their three parameters
    """

    __slots__ = ("bounds", "columns", "flags", "numbers", "tiers", "version")

    def __init__(self, fields: Fields | None, version: Version) -> None:
        is_flag: _Test = None if fields is None else lambda name: fields.sort_of(name, version) == "Bool"
        is_number: _Test = None if fields is None else lambda name: fields.sort_of(name, version) == "Num"
        is_tier: _Test = None if fields is None else lambda name: name in fields.tier_order
        self.version: Version = version
        self.flags = _Named(lambda name: _atom("is", name, "BoolField"), is_flag)
        self.columns = _Named(lambda name: _atom("field", name, "NumField"), is_number)
        self.numbers = _Named(text, is_number)
        self.tiers = _Named(text, is_tier)
        self.bounds: Kept[tuple[str, str, float]] = Kept()


def vocabulary_of(fields: Fields, version: Version) -> Vocabulary:
    """Give the vocabulary of fields in a version, of plain `Fields` one and the same at each call."""
    if type(fields) is not Fields:
        return Vocabulary(fields, version)
    known: Vocabulary | None = fields.vocabularies.get(version)
    return known or fields.vocabularies.setdefault(version, Vocabulary(fields, version))


class Kept(dict[_Key, Node]):
    """Nodes that were made before, by what was read: policies share most of their atoms. When full it starts anew."""

    __slots__ = ()

    def keep(self, key: _Key, node: Node) -> None:
        """Keep one more node."""
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[key] = node


def _atom(op: str, name: str, slot: str) -> Node:
    return Node(op, f"({op} {text(name)})", (), (name,), (slot,))


class _Named(dict[str, _Made]):
    """What declared names stand for, made when first met. Without a test any name is declared, and none is kept."""

    __slots__ = ("_declared", "_make")

    def __init__(self, make: Callable[[str], _Made], declared: _Test) -> None:
        super().__init__()
        self._make = make
        self._declared = declared

    def __missing__(self, name: str) -> _Made:
        if self._declared is None:
            return self._make(name)
        if not self._declared(name):
            raise KeyError(name)
        made = self[name] = self._make(name)
        return made
