"""Admitted terms: what `admit` gives, and what everything above the language works with."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from tenantrank.errors import CatalogError, PolicyError
from tenantrank.policy import admission, encoding, strict_json
from tenantrank.policy.lazily import lazily
from tenantrank.policy.memory import Memory
from tenantrank.policy.normal_form import Node, clauses_of
from tenantrank.policy.one_pass import read_term
from tenantrank.policy.parsing import parse
from tenantrank.policy.signature import MAX_DEPTH, V1, V2, VERSIONS, Fields, Version
from tenantrank.policy.stack import whatever_the_stack
from tenantrank.policy.vocabulary import vocabulary_of

_Kind = TypeVar("_Kind", bound="Term")
_TEXTS = (str, bytes)
_LONGEST_REMEMBERED = 16 * 1024
"""Longest text whose admission is remembered."""


class Placed:
    """Room for where an engine finds what it ranks by: the token of a set of programs, and a place there.

    Filled by `place` when it is first ranked; no part of the value, and not in pickles.
    """

    __slots__ = ("placed",)

    placed: tuple[object, int]


_set_placed = Placed.__dict__["placed"].__set__  # past the guard of a frozen class
_NOWHERE: tuple[object, int] = (None, 0)  # no token is ``None``


def place(placed: Placed, token: object, at: int) -> None:
    """Note where an engine ranked something, in place of where the last engine did."""
    _set_placed(placed, (token, at))


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Term(Placed):
    """An admitted term of any sort, held in normal form. Equal terms have equal `encoding`.

    Attributes
    ----------
    version : ``"sigma-pol/v1"`` or ``"sigma-pol/v2"``
    sort : ``Pred``, ``Scorer``, ``Selector``, ``Xform``, ``FailPlan``, ``Policy`` (v1 also ``Evidence``)
    root : the normal form as a tree of nodes
    fields : the vocabulary it was admitted against
    """

    version: Version
    sort: str
    root: Node
    fields: Fields

    def __init__(self, version: Version, sort: str, root: Node, fields: Fields) -> None:
        # Past the guard of a frozen class at once, which takes a fifth of the time of doing so by attribute.
        own = self.__dict__
        own["version"], own["sort"], own["root"], own["fields"] = version, sort, root, fields
        # So that the engine that first ranks it need not find it missing, which takes a microsecond.
        _set_placed(self, _NOWHERE)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    @property
    def term(self) -> list[Any]:
        """The normal form as a JSON value; a fresh copy at each use."""
        return self.root.term()

    def mentions(self, name: str) -> bool:
        """Say whether a name stands in the term, as a field or another string."""
        return f'"{name}"' in self.root.encoding

    @lazily
    def encoding(self) -> str:
        """The canonical text with its version prefix (section 3)."""
        return f"{self.version}:{self.root.encoding}"

    @lazily
    def fingerprint(self) -> str:
        """A short checksum for people to read; never a key."""
        return encoding.fingerprint(self.encoding)

    @lazily
    def identity(self) -> str:
        """The sha256 of `encoding` in hex: the key of every cache, lookup and proof."""
        return encoding.identity(f"{self.version}:{self.root[1]}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Term) and self.root == other.root and self.version == other.version

    def __hash__(self) -> int:
        return hash(self.root)

    def __repr__(self) -> str:
        shown = self.encoding if len(self.encoding) <= 100 else self.encoding[:97] + "…"
        return f"<{type(self).__name__} {shown}>"


class Policy(Term):
    """An admitted policy: five parts in normal form (Evidence, which decides nothing, stays in `root` only)."""

    @property
    def filter(self) -> Node:
        """The Pred that an offer must pass."""
        return self.root[2][-5]

    @property
    def scorer(self) -> Node:
        """The Scorer that values each survivor."""
        return self.root[2][-4]

    @property
    def selector(self) -> Node:
        """The Selector that orders the survivors."""
        return self.root[2][-3]

    @property
    def transform(self) -> Node:
        """The Xform applied to the request of each attempt."""
        return self.root.children[-2]

    @property
    def failure_plan(self) -> Node:
        """The FailPlan."""
        return self.root.children[-1]

    @property
    def clauses(self) -> tuple[Node, ...]:
        """The conditions of the filter that must all hold, in normal-form order: the order in which they are tried."""
        return clauses_of(self.filter)

    @lazily
    def clause_texts(self) -> tuple[str, ...]:
        """The canonical text of each of these clauses."""
        return tuple([clause.encoding for clause in self.clauses])


def admit(source: Any, fields: Fields | Mapping[str, Any], version: str | None = None) -> Policy:
    """Admit a policy: check it, bring it into normal form, give it its identity.

    Parameters
    ----------
    source
        a JSON value (a list), or JSON as ``str`` or ``bytes``
    fields
        the vocabulary: ``catalog.fields``, or a mapping of field declarations ``{name: {"sort": …, "default": …}}``.
        Fields remember what was admitted against them: the same text gives the same object while it is remembered
    version
        ``"sigma-pol/v1"``, ``"sigma-pol/v2"``, or ``None``: a policy of seven elements is v1, any other v2

    Raises
    ------
    PolicyError
        for any source that is not such a policy, with the path to the fault; no source raises anything else
    """
    # What a server asks for most, at the price of a look-up.
    if type(source) is bytes and version is None and type(fields) is Fields:
        known = fields.memory.recent.get(source)
        if known is not None:
            policy: Policy = known[0]
            return policy
        if len(source) <= _LONGEST_REMEMBERED:
            return _remembered(Policy, source, source, fields, None, "Policy")
    return _admit(Policy, source, fields, version, "Policy")


def admit_term(
    source: Any, fields: Fields | Mapping[str, Any], version: str | None = None, sort: str | None = None
) -> Term:
    """Admit a term of any sort, or of the one given; otherwise as `admit`, which serves whole policies."""
    return _admit(Term, source, fields, version, sort)


def _admit(
    kind: type[_Kind], source: Any, fields: Fields | Mapping[str, Any], version: str | None, sort: str | None
) -> _Kind:
    form = type(source)
    # Plain types only: their hash and equality are those of their content.
    if not (
        (form is bytes or form is str)
        and len(source) <= _LONGEST_REMEMBERED
        and type(fields) is Fields
        and (version is None or type(version) is str)
        and (sort is None or type(sort) is str)
    ):
        (root, _, found), chosen, vocabulary = whatever_the_stack(lambda: _read(source, fields, version, sort))
        return kind(chosen, found, root, vocabulary)
    return _remembered(kind, (kind, form, source, version, sort), source, fields, version, sort)


def _remembered(
    kind: type[_Kind], key: Hashable, source: str | bytes, fields: Fields, version: str | None, sort: str | None
) -> _Kind:
    """Admit plain text, or give what it was admitted as under this key."""
    memory: Memory[_Kind] = fields.memory
    known = memory.find(key)
    if known is not None:
        return known
    read = _read_at_once(source, fields, version, sort)
    if read is None:
        read = whatever_the_stack(lambda: _read(source, fields, version, sort))
    (root, subterms, found), chosen, _ = read
    # The encodings of one level of the tree take no more than the root's.
    size = len(source) + (subterms if subterms < MAX_DEPTH else MAX_DEPTH) * len(root[1])
    return memory.keep(key, kind(chosen, found, root, fields), size)


_Read: TypeAlias = tuple[tuple[Node, int, str], Version, Fields]


def _read_at_once(source: str | bytes, fields: Fields, version: str | None, sort: str | None) -> _Read | None:
    """Read plain text as `_read` does where nothing is amiss with it; else ``None``, whatever it is.

    A term that is admitted is nested no deeper than text may be, holds no infinite number and no lone surrogate: what
    `parse` looks for beforehand need not be.
    """
    try:
        value = strict_json.decode_finite(source.decode() if isinstance(source, bytes) else source)
        chosen = _version_of(value) if version is None else _known(version)
        read = read_term(value, vocabulary_of(fields, chosen), sort)
    except (ValueError, PolicyError, RecursionError):
        return None
    return None if read is None else (read, chosen, fields)


def _read(source: Any, fields: Fields | Mapping[str, Any], version: str | None, sort: str | None) -> _Read:
    vocabulary = _vocabulary(fields)
    known = None if version is None else _known(version)
    if sort is not None and type(sort) is not str:
        raise PolicyError("$", f"a sort is a name such as Pred, got {admission.shown(sort)}")
    # By type, not by isinstance, which asks the value itself for its class.
    value = parse(source) if issubclass(type(source), _TEXTS) else source
    chosen = known or _version_of(value)
    words = vocabulary_of(vocabulary, chosen)
    read = read_term(value, words, sort)
    if read is None:
        admission.check(value, vocabulary, chosen, sort)
        raise PolicyError("$", "the value changes while it is read")
    return read, chosen, vocabulary


def _known(version: str) -> Version:
    if type(version) is str:
        for known in VERSIONS:
            if known == version:
                return known
        raise PolicyError("$", f"unknown version {version[:60]!r}, expected one of {', '.join(VERSIONS)}")
    raise PolicyError("$", f"unknown version, expected one of {', '.join(VERSIONS)}")


def _vocabulary(fields: Fields | Mapping[str, Any]) -> Fields:
    if type(fields) is Fields or isinstance(fields, Fields):
        return fields
    if isinstance(fields, Mapping):
        return Fields(fields)
    raise CatalogError(f"fields must be a catalog's fields or a mapping of declarations, got {type(fields).__name__}")


def _version_of(value: Any) -> Version:
    if type(value) is list and len(value) == 7 and type(value[0]) is str and value[0] == "policy":
        return V1
    return V2
