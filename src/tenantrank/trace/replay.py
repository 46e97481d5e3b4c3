"""Replay: recorded decisions computed again from a store alone, and compared to the bit."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tenantrank.engine import Engine
from tenantrank.engine.envelope import HELD_APART, effective_filter
from tenantrank.errors import TraceError
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.normal_form import clauses_of
from tenantrank.trace.forms import bits_of, number_of, order_digest
from tenantrank.trace.recompute import Answer, Recorded, decisions_of, recomputed
from tenantrank.trace.record import SHOWN, rejections_form
from tenantrank.trace.restore import Restored
from tenantrank.trace.store import Reader, Stored

_NAMED = 1000  # mismatches that are kept with their words
_REJECTIONS = 65_536
_STEP = 1024


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A decision that does not come to the same again: ``what`` is the first difference, or why it cannot be replayed.

    ``replayed`` says whether it could be recomputed at all.
    """

    seq: int
    id: str
    what: str
    replayed: bool = True


@dataclass
class Replayed:
    """What a replay found.

    Attributes
    ----------
    count : decisions looked at; same : of these those that came to the same to the bit
    mismatches : the first of the others, in the order of the chain
    """

    count: int = 0
    same: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Decisions that came to something else, or could not be recomputed."""
        return self.count - self.same


def replay(store: Reader, stored: Iterable[Stored], on_progress: Callable[[int], None] | None = None) -> Replayed:
    """Compute recorded decisions again and compare them.

    Parameters
    ----------
    store
        whose snapshots are used, and nothing else
    stored
        records, of which the decisions are replayed
    on_progress
        called with how many more are done, now and then
    """
    result = Replayed()
    rejections: dict[tuple[int, str, Any], tuple[Engine, Mapping[str, Any]]] = {}
    for decision, answer in recomputed(decisions_of(stored), Restored(store)):
        result.count += 1
        if on_progress is not None and result.count % _STEP == 0:
            on_progress(_STEP)
        if isinstance(answer, TraceError):
            _note(result, Mismatch(decision.seq, decision.id, str(answer), replayed=False))
            continue
        what = difference(decision, answer, _rejections_of(answer, rejections))
        if what is None:
            result.same += 1
        else:
            _note(result, Mismatch(decision.seq, decision.id, what))
    return result


def difference(decision: Recorded, answer: Answer, rejections: Mapping[str, Any]) -> str | None:
    """Name the first thing in which a recorded decision and its recomputed answer differ; ``None`` where nothing does.

    ``rejections`` is what the filter turns away now, as a record holds it.
    """
    try:
        return next(_differences(decision.record, answer, rejections), None)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, TraceError) as error:
        return f"the record is not of the form of a decision: {type(error).__name__}: {error}"


def _differences(record: Mapping[str, Any], answer: Answer, rejections: Mapping[str, Any]) -> Iterator[str]:
    policy, envelope = answer.policy, answer.engine.envelope
    yield from _unequal("the policy's version", record["policy"]["version"], policy.version)
    yield from _unequal("the policy's fingerprint", record["policy"]["fingerprint"], policy.fingerprint)
    if envelope is not None:
        yield from _unequal("the envelope's identity", record["envelope"]["identity"], envelope.identity)
    recorded = record["ranked"]
    for at, (entry, offer, score) in enumerate(zip(recorded, answer.offer_ids, answer.scores, strict=False), 1):
        yield from _unequal(f"the offer at place {at}", entry[0], offer)
        if bits_of(number_of(entry[1])) != bits_of(score):
            yield f"the score of {offer!r} at place {at}: recorded {entry[1]!r}, now {score!r}"
    yield from _unequal("the number of offers ranked", record["places"], len(answer.offer_ids))
    yield from _unequal("the number of offers named", len(recorded), min(SHOWN, len(answer.offer_ids)))
    if record["order_digest"] is not None or len(answer.offer_ids) > SHOWN:
        digest = order_digest(answer.offer_ids, answer.scores)
        yield from _unequal(f"the digest of the order beyond place {SHOWN}", record["order_digest"], digest)
    yield from _unequal("the number of offers that pass", record["survivors"], answer.survivors)
    yield from _turned_away(record["rejections"], rejections, answer)


def _turned_away(recorded: Mapping[str, Any], now: Mapping[str, Any], answer: Answer) -> Iterator[str]:
    yield from _unequal("the number of clauses", recorded["clauses"], now["clauses"])
    if recorded["bits"] != now["bits"]:
        yield _bits_differ(recorded["bits"], now["bits"], answer.engine.catalog.offer_ids)
    for at, (then, here) in enumerate(zip(recorded["counts"], now["counts"], strict=True)):
        if then != here:
            words = _clause(answer, at)
            yield f"the offers that clause {at + 1} ({words}) is the first to turn away: recorded {then!r}, now {here}"
    yield from _unequal("the digest of the first clause that each offer fails", recorded["first"], now["first"])


def _bits_differ(recorded: str, now: str, offers: tuple[str, ...]) -> str:
    if ":" in recorded or ":" in now:
        return f"the digest of which offers pass: recorded {recorded}, now {now}"
    one, other = (np.frombuffer(base64.b64decode(bits, validate=True), dtype=np.uint8) for bits in (recorded, now))
    if len(one) != len(other):
        return "the bits of which offers pass are of another length"
    differs = np.flatnonzero(np.unpackbits(one ^ other, bitorder="little"))
    if differs.size == 0 or differs[0] >= len(offers):
        return "the bits of which offers pass are not in the form in which they are written"
    row = int(differs[0])
    passed = bool(one[row >> 3] >> (row & 7) & 1)
    then, here = ("passed", "is rejected") if passed else ("was rejected", "passes")
    return f"the offer {offers[row]!r} {then} when recorded and {here} now"


def _clause(answer: Answer, at: int) -> str:
    """Describe a clause of the effective filter; an envelope that is held apart is one."""
    node = clauses_of(effective_filter(answer.engine.envelope, answer.policy))[at]
    return "the operator's envelope" if node is HELD_APART else describe_clause(node)


def _rejections_of(
    answer: Answer, known: dict[tuple[int, str, Any], tuple[Engine, Mapping[str, Any]]]
) -> Mapping[str, Any]:
    # By address: what is remembered holds the engine, so that no other has it.
    key = id(answer.engine), answer.policy.identity, answer.engine.filtered_by(answer.policy, answer.request)
    found = known.get(key)
    if found is None:
        if len(known) >= _REJECTIONS:
            known.clear()
        form = rejections_form(answer.engine.rejections(answer.policy, answer.request))
        found = known[key] = answer.engine, form
    return found[1]


def _unequal(what: str, recorded: Any, now: Any) -> Iterator[str]:
    if recorded != now or type(recorded) is not type(now):
        yield f"{what}: recorded {recorded!r}, now {now!r}"


def _note(result: Replayed, mismatch: Mismatch) -> None:
    if len(result.mismatches) < _NAMED:
        result.mismatches.append(mismatch)
