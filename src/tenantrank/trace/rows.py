"""What a record becomes in the store: its text, its hash, and what it can be found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from tenantrank.errors import TraceError
from tenantrank.trace.canonical import LONGEST, parsed
from tenantrank.trace.texts import FixedList, once, text_around

_LISTS, _STR = (list, tuple, FixedList), {str}
_MET = 65_536
T = TypeVar("T")

KINDS = ("decision", "attempts", "note")
"""What a caller may append. What retention leaves is a ``stub``, which stands outside the numbered records."""

Term = tuple[str, str]
"""A field (``tenant``, ``fingerprint``, ``identity``, ``rule``, ``offer``) and the value that a record is found by."""

Reference = tuple[str, str]
"""Kind and id of a snapshot."""


class Marks(NamedTuple):
    """What a record is found by besides its id and its time.

    Attributes
    ----------
    tenant : its id, or ``None``
    rule : what the policy is found by, each with its field's name before it, and the rules that applied
    offers : the first ones of a decision, or those called in attempts
    """

    tenant: str | None
    rule: tuple[tuple[str, ...], tuple[str, ...]]
    offers: tuple[str, ...]


def rule_terms(rule: tuple[tuple[str, ...], tuple[str, ...]]) -> set[Term]:
    """Give what the rules of `Marks`, and the policy they made, are found by."""
    policy, rules = rule
    return {*zip(policy[::2], policy[1::2], strict=True), *(("rule", each) for each in rules)}


def offer_terms(offers: tuple[str, ...]) -> set[Term]:
    """Give what the offers of `Marks` are found by."""
    return {("offer", offer) for offer in offers}


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


class Draft(NamedTuple):
    """A record made ready to be written but for its number, its time and its place in the chain.

    Attributes
    ----------
    kind, id : what it is, and what it is found by
    before, between, after : the text around its number and its time
    tenant, rule, offers : as of `Marks`
    snapshots : ids of what it refers to, in the order of `SNAPSHOTS`
    """

    kind: str
    id: str | None
    before: bytes
    between: bytes
    after: bytes
    tenant: str | None
    rule: tuple[tuple[str, ...], tuple[str, ...]]
    offers: tuple[str, ...]
    snapshots: tuple[Any, ...]

    def body(self, seq: int, time: bytes) -> bytes:
        """Give the text with a number and a time.

        Raises
        ------
        TraceError
            ``refused``: it is too long
        """
        body = b"%b%d%b%b%b" % (self.before, seq, self.between, time, self.after)
        if len(body) > LONGEST:
            raise TraceError(f"a record of {len(body):,} bytes is over the {LONGEST:,} that one may have")
        return body


def draft_of(record: Mapping[str, Any]) -> Draft:
    """Make a record ready to be written.

    Raises
    ------
    TraceError
        ``refused``, naming what is wrong with it
    """
    try:
        kind = record.get("kind")
        if kind not in KINDS:
            raise TraceError(f"a record's kind must be one of {', '.join(KINDS)}, got {kind!r}")
        if "v" in record or "seq" in record or "time" in record:
            raise TraceError("v, seq and time are given to a record by the store")
        key = key_of(record)
        if key is None and kind != "note":
            raise TraceError(f"a record of kind {kind} needs {'of' if kind == 'attempts' else 'id'}, a string")
        tenant, rule, offers = marks_of(record)
        # Equal ones are kept as one: what lives on until its records are written costs the collector of garbage.
        shared = _same(rule), _same(offers), _same(snapshots_of(record))
        return tuple.__new__(Draft, (kind, key, *text_around(record), tenant, *shared))
    except TraceError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise TraceError(f"a record cannot be written: {error}") from error
    except Exception as error:
        # Whatever is wrong with a record is a reason to refuse it, and never one for the store to fail.
        raise TraceError(f"a record cannot be written: {error!r}") from error


_SAME: dict[Any, Any] = {}


def _same(value: T) -> T:
    """Give the first value that was equal to this one, of those met lately."""
    if len(_SAME) >= _MET:
        _SAME.clear()
    found: T = _SAME.setdefault(value, value)
    return found


def key_of(record: Mapping[str, Any]) -> str | None:
    """Give the id that a record is found by: that of the decision it belongs to."""
    key = record.get("of" if record.get("kind") == "attempts" else "id")
    return key if isinstance(key, str) and key else None


def marks_of(record: Mapping[str, Any]) -> Marks:
    """Give all that a record can be found by besides its id and time. Members of another shape give nothing."""
    get = record.get
    tenant, offers = get("tenant"), once(get("ranked"), _ranked)
    if "attempts" in record:
        offers += _called(get("attempts"))
    rule = once(get("policy"), _policy), once(get("rules"), _rules)
    return Marks(tenant if type(tenant) is str else None, rule, offers)


def _policy(policy: Any) -> tuple[str, ...]:
    named: tuple[str, ...] = ()
    if isinstance(policy, dict):
        for field in ("fingerprint", "identity"):
            value = policy.get(field)
            if type(value) is str:
                named += (field, value)
    return named


def _rules(rules: Any) -> tuple[str, ...]:
    return _texts([rule.get("rule") if type(rule) is dict else rule for rule in rules] if type(rules) in _LISTS else [])


def _ranked(ranked: Any) -> tuple[str, ...]:
    pairs = ranked if type(ranked) in _LISTS else ()
    return _texts([pair[0] for pair in pairs if type(pair) in _LISTS and pair])


def _called(attempts: Any) -> tuple[str, ...]:
    each = attempts if type(attempts) in _LISTS else ()
    return _texts([attempt.get("offer") for attempt in each if type(attempt) is dict])


def _texts(values: list[Any]) -> tuple[str, ...]:
    if set(map(type, values)) <= _STR:
        return tuple(values)
    return tuple([value for value in values if type(value) is str])


SNAPSHOTS = ("catalog", "health", "rulebook", "policy", "envelope")
"""Kinds of snapshots that a record may refer to."""


def snapshots_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """Give the ids of the snapshots that a record refers to, in the order of their kinds; what is no text is none."""
    get = record.get
    policy, envelope = get("policy"), get("envelope")
    return (
        get("catalog_id"),
        get("health_id"),
        get("rulebook_id"),
        policy.get("identity") if isinstance(policy, dict) else None,
        envelope.get("identity") if isinstance(envelope, dict) else None,
    )
