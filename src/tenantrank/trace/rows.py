"""What a record becomes in the store: its text, its hash, and what it can be found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import canonical, parsed
from tenantrank.trace.chain import VERSION, record_hash

_LISTS = (list, tuple)

KINDS = ("decision", "attempts", "note")
"""What a caller may append. What retention leaves is a ``stub``, which stands outside the numbered records."""

Term = tuple[str, str]
"""A field (``tenant``, ``fingerprint``, ``identity``, ``rule``, ``offer``) and the value that a record is found by."""

Reference = tuple[str, str]
"""Kind and id of a snapshot."""


class Marks(NamedTuple):
    """What a record is found by.

    Attributes
    ----------
    tenant : its id, or ``None``
    policy : fingerprint and identity, each with its field's name before it; empty where there is none
    rules : that applied
    offers : the first ones of a decision, or those called in attempts
    """

    tenant: str | None
    policy: tuple[str, ...]
    rules: tuple[str, ...]
    offers: tuple[str, ...]

    def rule_terms(self) -> set[Term]:
        """Give what the rules, and the policy they made, are found by."""
        named = zip(self.policy[::2], self.policy[1::2], strict=True)
        return {*named, *(("rule", rule) for rule in self.rules)}

    def offer_terms(self) -> set[Term]:
        """Give what the offers are found by."""
        return {("offer", offer) for offer in self.offers}


@dataclass(frozen=True)
class Stored:
    """A record as it lies in the store.

    Attributes
    ----------
    seq : its number, from 1
    hash : its link of the chain, 32 bytes
    body : its canonical text, with ``v``, ``seq`` and ``time``
    """

    seq: int
    hash: bytes
    body: bytes

    @cached_property
    def record(self) -> dict[str, Any]:
        """The record itself, read from the text on first use."""
        return parsed(self.body)


class Row(NamedTuple):
    """A record made ready to be written."""

    seq: int
    kind: str
    id: str | None
    time: str
    body: bytes
    hash: bytes
    marks: Marks
    references: list[Reference]


def row_of(record: Mapping[str, Any], seq: int, time: str, before: bytes) -> Row:
    """Make a record ready to be written: numbered, dated and chained.

    Raises
    ------
    TraceError
        ``refused``, naming what is wrong with it
    """
    kind = record.get("kind")
    if kind not in KINDS:
        raise TraceError(f"a record's kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if "v" in record or "seq" in record or "time" in record:
        raise TraceError("v, seq and time are given to a record by the store")
    key = key_of(record)
    if key is None and kind != "note":
        raise TraceError(f"a record of kind {kind} needs {'of' if kind == 'attempts' else 'id'}, a string")
    body = canonical({**record, "v": VERSION, "seq": seq, "time": time})
    return Row(seq, kind, key, time, body, record_hash(before, body), marks_of(record), references_of(record))


def key_of(record: Mapping[str, Any]) -> str | None:
    """Give the id that a record is found by: that of the decision it belongs to."""
    key = record.get("of" if record.get("kind") == "attempts" else "id")
    return key if isinstance(key, str) and key else None


def marks_of(record: Mapping[str, Any]) -> Marks:
    """Give all that a record can be found by besides its id and time. Members of another shape give nothing."""
    tenant, policy = record.get("tenant"), record.get("policy")
    named: tuple[str, ...] = ()
    if isinstance(policy, Mapping):
        for field in ("fingerprint", "identity"):
            value = policy.get(field)
            if type(value) is str:
                named += (field, value)
    rules = [rule.get("rule") if type(rule) is dict else rule for rule in _list(record, "rules")]
    offers = [pair[0] for pair in _list(record, "ranked") if type(pair) in _LISTS and pair]
    offers += [each.get("offer") for each in _list(record, "attempts") if type(each) is dict]
    return Marks(tenant if type(tenant) is str else None, named, _texts(rules), _texts(offers))


def _texts(values: list[Any]) -> tuple[str, ...]:
    return tuple([value for value in values if type(value) is str])


def references_of(record: Mapping[str, Any]) -> list[Reference]:
    """Give the snapshots that a record refers to."""
    policy, envelope = record.get("policy"), record.get("envelope")
    found = (
        ("catalog", record.get("catalog_id")),
        ("health", record.get("health_id")),
        ("rulebook", record.get("rulebook_id")),
        ("policy", policy.get("identity") if isinstance(policy, Mapping) else None),
        ("envelope", envelope.get("identity") if isinstance(envelope, Mapping) else None),
    )
    return [(kind, id) for kind, id in found if isinstance(id, str)]


def _list(record: Mapping[str, Any], name: str) -> list[Any] | tuple[Any, ...]:
    value: Any = record.get(name)
    return value if type(value) in _LISTS else ()
