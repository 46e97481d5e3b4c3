"""Python alone: generated code over columns as lists, and a plain evaluator over dicts, by which others are checked.

The evaluator is the obvious reading of the language's specification, one offer at a time; nothing in it is fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from heapq import nlargest
from operator import call
from typing import Any

from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Part, Rule, Some, conditions
from tenantrank.bench.workload import Columns, K, Workload

Offer = Mapping[str, Any]
Ranking = tuple[list[int], list[float]]


def dicts(work: Workload) -> Ready:
    """One call a policy: closures over one dict an offer."""
    columns = work.columns
    lists = {name: values.tolist() for name, values in (columns.numbers | columns.flags).items()}
    provider = [columns.names[code] for code in columns.providers]
    offers = [
        {"provider": provider[at], **{name: values[at] for name, values in lists.items()}} for at in range(len(columns))
    ]
    return Ready(call, [partial(_rank, offers, _test(rule.condition), rule.parts) for rule in work.rules])


def _rank(offers: Sequence[Offer], test: Callable[[Offer], bool], parts: Sequence[Part]) -> Ranking:
    survivors = [row for row, offer in enumerate(offers) if test(offer)]
    scores = [0.0] * len(survivors)
    for part in parts:
        values = _normalized([offers[row][part.field] for row in survivors])
        for at, value in enumerate(values):
            scores[at] += part.weight * (1.0 - value if part.reversed else value)
    best = sorted(range(len(survivors)), key=lambda at: -scores[at])[:K]
    return [survivors[at] for at in best], [scores[at] for at in best]


def _normalized(values: list[float]) -> list[float]:
    low, high = min(values, default=0.0), max(values, default=0.0)
    if high <= low:
        return [0.0] * len(values)
    return [1.0 if v >= high else 0.0 if v <= low else (v - low) / (high - low) for v in values]


def _test(condition: Condition) -> Callable[[Offer], bool]:
    match condition:
        case Compare(field, "le", bound):
            return lambda offer: offer[field] <= bound
        case Compare(field, _, bound):
            return lambda offer: offer[field] >= bound
        case Flag(name):
            return lambda offer: offer[name]
        case OneOf(names):
            listed = frozenset(names)
            return lambda offer: offer["provider"] in listed
        case Not(part):
            inner = _test(part)
            return lambda offer: not inner(offer)
        case Every(parts):
            tests = [_test(part) for part in parts]
            return lambda offer: all(test(offer) for test in tests)
        case Some(parts):
            tests = [_test(part) for part in parts]
            return lambda offer: any(test(offer) for test in tests)


def generated(work: Workload) -> Ready:
    """One call a policy: a function of its own, compiled from source, over the columns as lists."""
    columns = work.columns
    known = {name: values.tolist() for name, values in (columns.numbers | columns.flags).items()}
    known |= {"provider": columns.providers.tolist(), "row": list(range(len(columns))), "nlargest": nlargest}
    return Ready(call, [_compiled(rule, columns, known) for rule in work.rules])


def _compiled(rule: Rule, columns: Columns, known: dict[str, Any]) -> Callable[[], Ranking]:
    used = ["row", *_columns_of(rule.condition)]
    variables = {name: f"v{at}" for at, name in enumerate(used)}
    names, sources = ", ".join(variables.values()), ", ".join(used)
    lines = [f"kept = [v0 for {names} in zip({sources}) if {_source(rule.condition, variables, columns)}]"]
    lines += ["if not kept:", "    return [], []"]
    for at, field in enumerate(rule.fields):
        lines += [f"x{at} = [{field}[at] for at in kept]", f"lo{at}, hi{at} = min(x{at}), max(x{at})"]
        # No value is infinite here, so both ends come out as exactly 0 and 1; of one value alone, all are 0.
        lines += [f"by{at} = hi{at} - lo{at} or 1.0"]
    summands = []
    for part in rule.parts:
        at = rule.fields.index(part.field)
        scored = f"(x - lo{at}) / by{at}".replace("x", f"y{at}")
        scored = f"(1.0 - {scored})" if part.reversed else scored
        summands.append(scored if part.weight == 1.0 else f"{part.weight!r} * ({scored})")
    values = ", ".join(f"y{at}" for at in range(len(rule.fields)))
    zipped = ", ".join(f"x{at}" for at in range(len(rule.fields)))
    loop = f"{values}, in zip({zipped})" if len(rule.fields) == 1 else f"{values} in zip({zipped})"
    lines += [f"scores = [{' + '.join(summands)} for {loop}]"]
    lines += [f"best = nlargest({K}, range(len(kept)), key=scores.__getitem__)"]
    lines += ["return [kept[at] for at in best], [scores[at] for at in best]"]
    parameters = ", ".join(f"{name}={name}" for name in [*used, *rule.fields] if name != "row")
    source = f"def rank(row=row, nlargest=nlargest, {', '.join(dict.fromkeys(parameters.split(', ')))}):\n    "
    names_of_function: dict[str, Any] = dict(known)
    exec(source + "\n    ".join(lines), names_of_function)
    rank: Callable[[], Ranking] = names_of_function["rank"]
    return rank


def _columns_of(condition: Condition) -> list[str]:
    names: list[str] = []
    for part in conditions(condition):
        if isinstance(part, Compare):
            names.append(part.field)
        elif isinstance(part, Flag):
            names.append(part.name)
        elif isinstance(part, OneOf):
            names.append("provider")
    return list(dict.fromkeys(names))


def _source(condition: Condition, variables: Mapping[str, str], columns: Columns) -> str:
    match condition:
        case Compare(field, relation, bound):
            return f"{variables[field]} {'<=' if relation == 'le' else '>='} {bound!r}"
        case Flag(name):
            return variables[name]
        case OneOf(names):
            # A set of constants in the code of the function is a frozenset made once.
            return f"{variables['provider']} in {{{', '.join(map(str, [-1, *columns.codes(names)]))}}}"
        case Not(part):
            return f"not ({_source(part, variables, columns)})"
        case Every(parts):
            return " and ".join(f"({_source(part, variables, columns)})" for part in parts)
        case Some(parts):
            return " or ".join(f"({_source(part, variables, columns)})" for part in parts)
