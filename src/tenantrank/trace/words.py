"""A record for people: which of the tenant's rules applied, what they did, and where every number comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from tenantrank.engine.envelope import HELD_APART, effective_filter
from tenantrank.errors import TenantrankError, TraceError
from tenantrank.policy.describe import describe, describe_clause
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy
from tenantrank.trace.forms import number_of
from tenantrank.trace.recompute import Answer, Recorded, recomputed
from tenantrank.trace.record import rejections_form
from tenantrank.trace.replay import difference
from tenantrank.trace.restore import Restored
from tenantrank.trace.sources import (
    Number,
    bounds_of,
    counted_numbers,
    fields_of,
    given_numbers,
    observed_numbers,
    shown,
    source_of,
)
from tenantrank.trace.store import Reader, Stored
from tenantrank.trace.terms import readable

_OFFERS = 3  # ranked offers whose numbers are traced to their sources
_APART = "the operator's envelope"
_PARTS = {
    "preference": "score:",
    "selector": "order:",
    "transforms": "request:",
    "failure_plan": "on ",
}
"""The lines of a policy's description that a part of a rulebook decides, by what they begin with."""


class Rule(NamedTuple):
    """A line of what was decided by: in words, whose it is, how many offers it was the first to turn away, and the
    bounds in it by field.
    """

    words: str
    whose: str
    turned_away: int | None
    bounds: tuple[tuple[str, str], ...] = ()


class Failed(NamedTuple):
    """One clause that an offer fails; ``observed`` and ``source`` are empty where it is not about one field."""

    words: str
    whose: str
    reason: str
    bound: str
    observed: str
    source: str


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that a trace says of one decision, in words.

    Attributes
    ----------
    id, seq, time, tenant, caller, label : as recorded
    summary : in a sentence
    applied : ids of the tenant's rules that applied, in file order
    clauses : of the filter, in the order tried; then : how survivors are scored and ordered, and what else the policy
        says, whose ``turned_away`` is ``None``
    needs : what the request asked for, a line each
    ranked : the first offers with their scores
    numbers : every number that decided, with its source
    attempts : as recorded; cost_usd : of all attempts; outcome : how the call ended
    ids : of everything that went into it, by name
    masked : what was left out of the record
    replayed : what computing it again came to
    """

    id: str
    seq: int
    time: str
    tenant: str | None
    caller: str | None
    label: str | None
    summary: str
    applied: tuple[str, ...]
    clauses: tuple[Rule, ...]
    then: tuple[Rule, ...]
    needs: tuple[str, ...]
    ranked: tuple[tuple[str, float | str], ...]
    numbers: tuple[Number, ...]
    attempts: tuple[Mapping[str, Any], ...]
    cost_usd: float | None
    outcome: str | None
    ids: Mapping[str, str | None]
    masked: tuple[str, ...]
    replayed: str

    def to_json(self) -> dict[str, Any]:
        """Give all of it as a JSON value."""
        value = asdict(self)
        for name in ("clauses", "then", "numbers"):
            value[name] = [entry._asdict() for entry in getattr(self, name)]
        value["ranked"] = [{"offer": offer, "score": score} for offer, score in self.ranked]
        return value


def tell(store: Reader, stored: Sequence[Stored]) -> Told:
    """Say in words what a decision's records hold.

    Parameters
    ----------
    store
        whose snapshots say where numbers come from; where one is missing, the record is told alone
    stored
        the record of the decision and of the attempts that followed, as `Reader.find` gives them

    Raises
    ------
    TraceError
        where none of the records is a decision, or it is damaged
    """
    decision, attempts = _parted(stored)
    record = decision.record
    try:
        policy = readable(record["policy"]["encoding"])
        answer = next(iter(recomputed([decision], Restored(store))))[1]
        clauses, then = _clauses(record, policy), _then(record, policy)
        return Told(
            decision.id,
            decision.seq,
            str(record.get("time")),
            record["tenant"],
            record["caller"],
            record["label"],
            _summary(record, attempts),
            tuple(record["rules"]),
            tuple(clauses),
            tuple(then),
            tuple(_needs(record["request"])),
            tuple((offer, score) for offer, score in record["ranked"]),
            tuple(_numbers(record, policy, clauses, answer, attempts)),
            tuple(attempts.get("attempts", ())),
            attempts.get("cost_usd"),
            attempts.get("outcome"),
            _ids(record),
            tuple(record["masked"]),
            _replayed(decision, answer),
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise TraceError(f"the record of {decision.id} cannot be read: {error!r}", "unreadable") from None


def failures_of(store: Reader, stored: Sequence[Stored], offer: str) -> list[Failed]:
    """Say what one offer failed when a decision was made, clause by clause; nothing for one that passed.

    Raises
    ------
    TraceError
        where the decision cannot be computed again, or its catalog has no such offer
    """
    decision, _ = _parted(stored)
    answer = next(iter(recomputed([decision], Restored(store))))[1]
    if isinstance(answer, TraceError):
        raise answer
    engine, policy = answer.engine, answer.policy
    if offer not in engine.catalog.offer_ids:
        raise TraceError(f"the catalog of that decision has no offer {offer!r}", "missing")
    origins = decision.record["origins"]
    found = []
    for failure in engine.explain(policy, answer.request, {}).of(offer):
        clause = failure.clause
        whose = _whose(origins.get(clause.encoding, ()), _APART if clause.origins else None)
        field = failure.reason.split(":")[1] if failure.reason.startswith(("cmp:", "is:")) else None
        observed = "" if failure.observed is None else str(failure.observed)
        source = ""
        if field is not None:
            observed, source = observed or "unknown", source_of(engine, policy.version, field, offer)
        listed = isinstance(failure.bound, list)
        bound = ", ".join(failure.bound) if listed else "" if failure.bound is None else str(failure.bound)
        found.append(Failed(clause.words, whose, failure.reason, bound, observed, source))
    return found


def _parted(stored: Sequence[Stored]) -> tuple[Recorded, Mapping[str, Any]]:
    decisions = [each for each in stored if each.record.get("kind") == "decision"]
    attempts = [each.record for each in stored if each.record.get("kind") == "attempts"]
    if not decisions:
        raise TraceError("no decision is recorded under this id", "missing")
    return Recorded(decisions[0].seq, decisions[0].record), attempts[-1] if attempts else {}


def _summary(record: Mapping[str, Any], attempts: Mapping[str, Any]) -> str:
    passed, counts = record["survivors"], record["rejections"]["counts"]
    offers = passed + sum(counts)
    first = f"{record['ranked'][0][0]} came first" if record["ranked"] else "none was ranked"
    text = f"Of {offers:,} offers {passed:,} passed the tenant's rules, and {first}."
    if attempts:
        answered = [entry["offer"] for entry in attempts["attempts"] if entry["outcome"] is None]
        tries = len(attempts["attempts"])
        end = f"{answered[-1]} answered" if answered else "nobody answered"
        text += f" After {tries} attempt{'' if tries == 1 else 's'} {end}."
    return text


def _clauses(record: Mapping[str, Any], policy: Policy) -> list[Rule]:
    """Give the clauses that decided, in the order tried, with what each did."""
    envelope = None if record["envelope"] is None else readable(record["envelope"]["encoding"])
    held = () if envelope is None else clauses_of(envelope.root)
    rules = []
    nodes = clauses_of(effective_filter(envelope, policy))
    for node, count in zip(nodes, record["rejections"]["counts"], strict=True):
        if envelope is not None and node is HELD_APART:
            words = " and ".join(map(describe_clause, held))
            rules.append(Rule(words, _APART, count, bounds_of(envelope.root)))
        else:
            whose = _whose(record["origins"].get(node.encoding, ()), _APART if node in held else None)
            rules.append(Rule(describe_clause(node), whose, count, bounds_of(node)))
    return rules


def _then(record: Mapping[str, Any], policy: Policy) -> list[Rule]:
    lines = describe(policy)[len(policy.clauses) :]
    rules = []
    for line in lines:
        part = next(part for part, beginning in _PARTS.items() if line.startswith(beginning))
        rules.append(Rule(line, _whose(record["origins"].get(part, ()), None), None))
    return rules


def _whose(origins: Sequence[Mapping[str, Any]], operator: str | None) -> str:
    """Say whose a clause is: rules with the tenant's fields, the operator's, or the policy's own."""
    named = [_origin(origin) for origin in origins]
    return "; ".join([*named, *([operator] if operator else [])]) or "the policy itself"


def _origin(origin: Mapping[str, Any]) -> str:
    rule = "the rulebook's defaults" if origin["rule"] == "defaults" else f"rule {origin['rule']}"
    if origin["field"] is None:
        return rule
    if origin["value"] is None:
        return f"{rule}, since the tenant's {origin['field']} is not stated"
    return f"{rule}, since the tenant's {origin['field']} is {origin['value']!r}"


def _needs(request: Mapping[str, Any]) -> list[str]:
    lines = [f"needs {need}" for need in request["needs"]]
    return lines + [f"{name.replace('_', ' ')}: {value}" for name, value in request.items() if name != "needs"]


def _numbers(
    record: Mapping[str, Any],
    policy: Policy,
    clauses: Sequence[Rule],
    answer: Answer | TraceError,
    attempts: Mapping[str, Any],
) -> list[Number]:
    found = [Number(bound, f"bound of {field}", rule.whose) for rule in clauses for field, bound in rule.bounds]
    found += given_numbers(record)
    scorer = next(line for line in describe(policy) if line.startswith("score:"))
    for offer, score in record["ranked"][:_OFFERS]:
        found.append(Number(_score(score), f"score of {offer}", scorer))
        if not isinstance(answer, TraceError):
            fields = fields_of([*policy.clauses, policy.scorer])
            found += observed_numbers(answer.engine, policy.version, offer, fields)
    return found + counted_numbers(attempts)


def _score(form: float | str) -> str:
    number = number_of(form)
    return shown(number) if abs(number) < float("inf") else str(form)


def _ids(record: Mapping[str, Any]) -> dict[str, str | None]:
    policy, envelope = record["policy"], record["envelope"]
    return {
        "policy version": policy["version"],
        "policy fingerprint": policy["fingerprint"],
        "policy identity": policy["identity"],
        "policy source": policy["source"],
        "envelope": None if envelope is None else envelope["identity"],
        "rulebook": record["rulebook_id"],
        "catalog": record["catalog_id"],
        "judged by the day": record["as_of"],
        "live state": record["health_id"],
        "engine": record["engine"],
    }


def _replayed(decision: Recorded, answer: Answer | TraceError) -> str:
    if isinstance(answer, TraceError):
        return f"it cannot be computed again: {answer}"
    try:
        now = rejections_form(answer.engine.rejections(answer.policy, answer.request))
    except TenantrankError as error:
        return f"it cannot be computed again: {error}"
    what = difference(decision, answer, now)
    return "computed again it comes to the same, to the bit" if what is None else f"computed again it differs: {what}"
