"""Part ``explain``: what it costs to say why, against what the filter alone costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from tenantrank.bench.measuring import interleaved
from tenantrank.bench.offers import FLAGS, NUMBERS
from tenantrank.bench.parts.timing import MICRO
from tenantrank.bench.ready import Role
from tenantrank.bench.results import Log, Row
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Rule, Some
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Columns, Mask, Workload, passing
from tenantrank.catalog import Catalog
from tenantrank.engine import Clause, Engine
from tenantrank.policy.builder import Pred, catalog_order, policy
from tenantrank.policy.describe import describe_clause
from tenantrank.policy.policy import Policy, admit

PART = "explain"
UNIT = "µs per policy"
FILTER = "the filter alone"
FIRST = "first failing clause of every offer"
COUNTS = "counts per clause"
WORDS = "reasons in words, by offer"
ALL = "every failing clause"
WHOLE = "every failing clause, in words, with those alone and unknown"

_HOW = {
    FILTER: "Engine.rank of the same filter without a score, k=1",
    COUNTS: "Engine.clause_counts: offers that each clause is the first to turn away",
    FIRST: "Engine.rejections, as arrays",
    WORDS: "Decision.rejected of a new decision",
    ALL: "Decision.explain().failed of a new decision: how many offers fail each clause",
    WHOLE: "Decision.explain().clauses of a new decision; both put clauses into words with the same function",
}


def measure(settings: Settings, log: Log) -> None:
    """Time the engine's explanations and the filter alone, each beside NumPy's."""
    for offers in settings.sizes:
        work = Workload.make("six shapes", offers, settings.pick(300, 12), settings.seed)
        engine = Engine(work.catalog)
        alone = [_filter_alone(each, work) for each in work.policies]
        wrong = _wrong(engine, work)
        if wrong is not None:
            log.fail(PART, f"{offers:,} offers", wrong)
            continue
        settings.on_step(f"{PART}: {offers:,} offers")
        runs = _runs(engine, work, alone)
        timings = interleaved(runs, settings.repeats, settings.least_s)
        count = len(work.policies)
        for (case, name), timing in timings.items():
            role: Role = "engine" if name == "engine" else "baseline"
            values = timing.values(MICRO / count)
            values["times the filter alone"] = timing.least / timings[FILTER, name].least
            note = _HOW[case] if name == "engine" else ""
            log.add(Row(PART, case, name, role, UNIT, values, offers, count, count, settings.repeats, note))


def _numbers(clause: Clause) -> tuple[int, int, int]:
    return clause.failed, clause.alone, clause.unknown


def _runs(engine: Engine, work: Workload, alone: list[Policy]) -> dict[tuple[str, str], Callable[[], object]]:
    """Give what is timed, by case and implementation; ``alone`` are the policies with nothing to rank by."""
    unknown = _unknown_columns(work.catalog)
    return {
        (FILTER, "engine"): partial(_each, partial(engine.rank, k=1), alone),
        (COUNTS, "engine"): partial(_each, engine.clause_counts, work.policies),
        (FIRST, "engine"): partial(_each, engine.rejections, work.policies),
        (WORDS, "engine"): partial(_each, partial(_rejected, engine), work.policies),
        (ALL, "engine"): partial(_each, partial(_failed, engine), work.policies),
        (WHOLE, "engine"): partial(_each, partial(_clauses, engine), work.policies),
        (FILTER, "NumPy"): partial(_each_rule, _filter, work),
        (COUNTS, "NumPy"): partial(_each_rule, _counts, work),
        (FIRST, "NumPy"): partial(_each_rule, _first_failing, work),
        (WORDS, "NumPy"): partial(_in_words, work),
        (ALL, "NumPy"): partial(_each_rule, _all_counts, work),
        (WHOLE, "NumPy"): partial(_all_whole, unknown, work),
    }


def _rejected(engine: Engine, each: Policy) -> Mapping[str, str]:
    return engine.rank(each, k=1).rejected


def _failed(engine: Engine, each: Policy) -> Any:
    return engine.rank(each, k=1).explain().failed


def _clauses(engine: Engine, each: Policy) -> tuple[Clause, ...]:
    return engine.rank(each, k=1).explain().clauses


def _filter_alone(each: Policy, work: Workload) -> Policy:
    """Give a policy with the same filter and nothing to rank by."""
    condition = Pred(*each.filter.term())
    return admit(policy(condition, selector=catalog_order), work.catalog.fields)


def _each(run: Callable[[Policy], object], policies: list[Policy] | tuple[Policy, ...]) -> None:
    for each in policies:
        run(each)


def _each_rule(run: Callable[[Rule, Columns], object], work: Workload) -> None:
    columns = work.columns
    for rule in work.rules:
        run(rule, columns)


def _filter(rule: Rule, columns: Columns) -> Any:
    return np.flatnonzero(passing(rule.condition, columns))


def _failing(rule: Rule, columns: Columns) -> Any:
    return ~np.stack([passing(clause, columns) for clause in rule.clauses])


def _first_failing(rule: Rule, columns: Columns) -> Any:
    """Give the position of each offer's first failing clause, and the number of clauses where it passes."""
    failing = _failing(rule, columns)
    return np.where(failing.any(axis=0), failing.argmax(axis=0), len(failing))


def _counts(rule: Rule, columns: Columns) -> Any:
    """Count the offers that each clause is the first to turn away."""
    counts, left = [], np.ones(len(columns), dtype=bool)
    before = len(columns)
    for clause in rule.clauses:
        left &= passing(clause, columns)
        after = int(np.count_nonzero(left))
        counts.append(before - after)
        before = after
    return counts


def _all_counts(rule: Rule, columns: Columns) -> Any:
    return _failing(rule, columns).sum(axis=1)


def _unknown_columns(catalog: Catalog) -> dict[str, Mask]:
    """Give the offers of which nothing is known in each column that a clause may look at."""
    numbers = {name: np.isnan(catalog.numbers(name)) for name in NUMBERS}
    return numbers | {name: catalog.flags(name) < 0 for name in FLAGS}


def _all_whole(unknown: Mapping[str, Mask], work: Workload) -> None:
    for each, rule in zip(work.policies, work.rules, strict=True):
        _whole(each, rule, unknown, work.columns)


def _whole(each: Policy, rule: Rule, unknown: Mapping[str, Mask], columns: Columns) -> list[tuple[str, int, int, int]]:
    """Give each clause in words, with how many offers fail it, fail no other, and might pass it if more were known."""
    failing = _failing(rule, columns)
    alone = failing & (failing.sum(axis=0) == 1)
    unsure = [_unknown(clause, unknown, columns) for clause in rule.clauses]
    counts = failing.sum(axis=1), alone.sum(axis=1), (failing & np.stack(unsure)).sum(axis=1)
    words = map(describe_clause, each.clauses)
    return list(zip(words, *(numbers.tolist() for numbers in counts), strict=True))


def _unknown(condition: Condition, unknown: Mapping[str, Mask], columns: Columns) -> Mask:
    """Give the offers of which something is unknown that a clause looks at; their providers are known."""
    match condition:
        case Compare(name) | Flag(name):
            return unknown[name]
        case Not(part):
            return _unknown(part, unknown, columns)
        case Every(parts) | Some(parts):
            any_part: Mask = np.any([_unknown(part, unknown, columns) for part in parts], axis=0)
            return any_part
        case OneOf():
            return np.zeros(len(columns), dtype=bool)


def _in_words(work: Workload) -> None:
    ids = work.catalog.offer_ids
    for each, rule in zip(work.policies, work.rules, strict=True):
        _words(each, _first_failing(rule, work.columns), ids)


def _words(each: Policy, first: Any, ids: Sequence[str]) -> dict[str, str]:
    reasons = [_reason(clause.op, clause.parameters) for clause in each.clauses]
    rows = np.flatnonzero(first < len(reasons))
    return {ids[row]: reasons[at] for row, at in zip(rows.tolist(), first[rows].tolist(), strict=True)}


def _wrong(engine: Engine, work: Workload) -> str | None:
    """Compare what the engine explains with what NumPy finds, clause by clause and offer by offer."""
    ids, unknown = work.catalog.offer_ids, _unknown_columns(work.catalog)
    for at, (each, rule) in enumerate(zip(work.policies, work.rules, strict=True)):
        first = _first_failing(rule, work.columns)
        clauses = _clauses(engine, each)
        found: tuple[tuple[str, Any, Any], ...] = (
            (COUNTS, engine.clause_counts(each).tolist(), _counts(rule, work.columns)),
            (FIRST, engine.rejections(each).first.tolist(), first.tolist()),
            (ALL, _failed(engine, each).tolist(), _all_counts(rule, work.columns).tolist()),
            (WORDS, dict(_rejected(engine, each)), _words(each, first, ids)),
            (WHOLE, [(one.words, *_numbers(one)) for one in clauses], _whole(each, rule, unknown, work.columns)),
        )
        for what, ours, expected in found:
            if ours != expected:
                return f"policy {at}: {what} differs from what NumPy finds"
    return None


def _reason(op: str, parameters: tuple[Any, ...]) -> str:
    """Give the reason of a clause as the language's specification names it."""
    if op == "cmp":
        return f"cmp:{parameters[0]}:{parameters[1]}"
    named = {"is": "is:", "has_cap": "missing_capability:"}
    if op in named:
        return f"{named[op]}{parameters[0]}"
    return {"provider_eq": "provider_id"}.get(op, op)
