"""Records of decisions and of the attempts that followed: what is kept of them, as plain JSON values.

A record holds names, numbers and ids: which rule decided, on what, and with what result. It has no place for a prompt,
an answer, a key or a header, nor for a digest of one. The members are those of ``schema-1.json``; number, time and hash
are given by the store, as the version of the form is.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tenantrank.engine import Decision, Rejections, Request
from tenantrank.policy.policy import Term
from tenantrank.tenants import CompiledPolicy, Origin
from tenantrank.trace.forms import number_form, order_digest, request_form, seed_form
from tenantrank.trace.texts import Fixed, FixedList

SHOWN = 16
"""Ranked offers that a record names; of a longer order it holds the digest as well."""
INLINE = 4096
"""Offers up to which a record holds the bits of those that passed, and beyond which their digest."""

_LONGEST = 1024
_MASK = "…"
_PARTS = ("preference", "selector", "failure_plan")


class About(NamedTuple):
    """As whom and under what name a call came; ``None`` where that is not known. ``id`` is the record's own."""

    id: str
    tenant: str | None = None
    caller: str | None = None
    label: str | None = None


class Ids(NamedTuple):
    """What a decision was held against: snapshots, the day of judging, and the package's version."""

    catalog_id: str
    as_of: str | None
    health_id: str
    engine: str


class Form(NamedTuple):
    """Members of a record that many records share, and the paths of what was left out of them."""

    members: Mapping[str, Any]
    masked: tuple[str, ...]


def decision_record(
    decision: Decision,
    about: About,
    ids: Ids,
    rule: Form,
    request: Form,
    order: Mapping[str, Any],
    rejections: Mapping[str, Any],
) -> dict[str, Any]:
    """Give the record of a decision.

    Parameters
    ----------
    decision, about
        what to record
    ids
        of the snapshots that a replay needs
    rule, request, order, rejections
        as `rule_form`, `needs_form`, `order_form` and `rejections_form` give them
    """
    masked = [*rule.masked, *request.masked]
    return {
        "kind": "decision",
        "id": about.id,
        "tenant": _text(about.tenant, "tenant", masked),
        "caller": _text(about.caller, "caller", masked),
        "label": _text(about.label, "label", masked),
        **rule.members,
        "catalog_id": ids.catalog_id,
        "as_of": ids.as_of,
        "health_id": ids.health_id,
        **request.members,
        "seed": seed_form(decision.seed),
        "k": decision.k,
        "engine": ids.engine,
        **order,
        "survivors": decision.survivors,
        "rejections": rejections,
        "masked": masked,
    }


def rule_form(
    decision: Decision,
    compiled: CompiledPolicy | None,
    rulebook_id: str | None,
    source: str,
    mask: Collection[str] = (),
) -> Form:
    """Give the members of a record that say which rule decided.

    Parameters
    ----------
    decision
        for its policy, its envelope and the origins of clauses
    compiled
        the policy with what a rulebook says of it: all its rules, and the origins of what is no clause
    rulebook_id
        of the rulebook that made it
    source
        how the rule came
    mask
        fields of a tenant whose values are left out
    """
    masked: list[str] = []
    policy = decision.policy
    envelope = envelope_form(decision.engine.envelope)
    members = {
        "policy": Fixed(
            version=policy.version,
            identity=policy.identity,
            fingerprint=policy.fingerprint,
            encoding=policy.encoding,
            source=source,
        ),
        "origins": Fixed(_origins(decision, compiled, mask, masked)),
        "rules": FixedList(_rules(decision, compiled)),
        "envelope": None if envelope is None else Fixed(envelope),
        "rulebook_id": rulebook_id,
    }
    return Form(members, tuple(masked))


def needs_form(request: Request) -> Form:
    """Give the member of a record that says what was asked for."""
    masked: list[str] = []
    form = request_form(request)
    for name in ("scope", "model_family", "tier"):
        if name in form:
            form[name] = _text(form[name], f"request.{name}", masked)
    return Form({"request": Fixed(form)}, tuple(masked))


def order_form(offer_ids: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    """Give the members of a record that say in which order offers were ranked, and with which scores."""
    places = len(offer_ids)
    first = zip(offer_ids[:SHOWN], scores[:SHOWN], strict=True)
    return {
        "ranked": FixedList([offer, number_form(score)] for offer, score in first),
        "places": places,
        "order_digest": order_digest(offer_ids, scores) if places > SHOWN else None,
    }


def envelope_form(envelope: Term | None) -> dict[str, str] | None:
    """Give an operator's envelope as a record holds it."""
    return None if envelope is None else {"identity": envelope.identity, "encoding": envelope.encoding}


def rejections_form(rejections: Rejections) -> dict[str, Any]:
    """Give what a filter turned away as a record holds it.

    ``clauses`` is how many there are, ``counts`` how many offers each is the first to turn away. ``first`` is the
    sha256 of the place of the first clause that each offer fails, in catalog order, two bytes each, low byte first.
    ``bits`` has a bit for each offer, lowest first, which is set where it passed: as base64, or for a catalog of more
    than `INLINE` offers as ``sha256:`` and their digest.
    """
    first = np.ascontiguousarray(rejections.first, dtype="<u2")
    bits = np.packbits(first == len(rejections.clauses), bitorder="little").tobytes()
    inline = len(first) <= INLINE
    return Fixed(
        {
            "clauses": len(rejections.clauses),
            "counts": rejections.counts.tolist(),
            "first": hashlib.sha256(first.tobytes()).hexdigest(),
            "bits": base64.b64encode(bits).decode() if inline else f"sha256:{hashlib.sha256(bits).hexdigest()}",
        }
    )


def attempts_record(
    of: str,
    attempts: Iterable[Mapping[str, Any]],
    *,
    tenant: str | None = None,
    caller: str | None = None,
    outcome: str | None = None,
    cost_usd: float | None = None,
) -> dict[str, Any]:
    """Give the record of what followed a decision.

    Parameters
    ----------
    of
        the id of the decision's record
    attempts
        in order; of each counts ``offer``, ``provider``, ``number``, ``started``, ``ended``, ``outcome``, ``status``,
        ``bytes_sent``, ``bytes_received``, ``tokens_in``, ``tokens_out`` and ``cost_usd``, and nothing else.
        ``outcome`` is the kind of failure, ``None`` for the attempt that answered
    tenant, caller
        as in the decision's record, by which records are found
    outcome
        how the call ended
    cost_usd
        of all attempts
    """
    masked: list[str] = []
    return {
        "kind": "attempts",
        "id": of,
        "of": of,
        "tenant": _text(tenant, "tenant", masked),
        "caller": _text(caller, "caller", masked),
        "attempts": [{name: attempt.get(name) for name in ATTEMPT} for attempt in attempts],
        "outcome": outcome,
        "cost_usd": cost_usd,
        "masked": masked,
    }


ATTEMPT = (
    "offer",
    "provider",
    "number",
    "started",
    "ended",
    "outcome",
    "status",
    "bytes_sent",
    "bytes_received",
    "tokens_in",
    "tokens_out",
    "cost_usd",
)
"""The members of an attempt."""


def _rules(decision: Decision, compiled: CompiledPolicy | None) -> list[str]:
    if compiled is not None:
        return list(compiled.rules)
    return list(dict.fromkeys(origin.rule for origins in (decision.origins or {}).values() for origin in origins))


def _origins(
    decision: Decision, compiled: CompiledPolicy | None, mask: Collection[str], masked: list[str]
) -> dict[str, list[dict[str, Any]]]:
    """Give the origins of clauses by their canonical text, and those of a policy's other parts by the part's name."""
    found = dict(decision.origins or {})
    if compiled is not None:
        found |= {part: (getattr(compiled, part),) for part in _PARTS}
        if compiled.transforms:
            found["transforms"] = compiled.transforms
    return {name: [_origin(origin, mask, masked) for origin in origins] for name, origins in found.items()}


def _origin(origin: Origin, mask: Collection[str], masked: list[str]) -> dict[str, Any]:
    value: Any = origin.value
    if origin.field in mask and value is not None:
        value, path = None, f"origins.{origin.field}"
        if path not in masked:
            masked.append(path)
    elif isinstance(value, float):
        value = number_form(value)
    elif isinstance(value, tuple):
        value = list(value)
    return {"rule": origin.rule, "field": origin.field, "value": value}


def _text(text: str | None, path: str, masked: list[str]) -> str | None:
    """Give a text that a client may have chosen, of bounded length and such as UTF-8 can hold.

    What is changed is told in ``masked``. No offer has such a text, so that it decides what the whole one decided.
    """
    if text is None:
        return None
    kept = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + _MASK
    if not kept.isascii():
        kept = kept.encode("utf-8", "replace").decode()
    if kept != text:
        masked.append(path)
    return kept
