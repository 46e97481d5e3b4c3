"""Polars: a query a policy, lazy and prebuilt or eager; and one lazy query a shape that ranks all its tenants.

Expressions and plans are built beforehand. Two threads, Polars' own (`tenantrank.bench.optional`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import and_, call, or_
from typing import Any

import numpy as np

from tenantrank.bench.answers import Answers
from tenantrank.bench.optional import package
from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Rule, Some
from tenantrank.bench.shapes import Constants, Shape, group_by_shape, mask_of, provider_bits
from tenantrank.bench.workload import Columns, K, Workload

Constant = Callable[[Any], Any]


def lazy(work: Workload) -> Ready:
    """One prebuilt lazy query a policy, collected one by one; without the optimizer, which such plans do not need."""
    pl = package("polars")
    offers = _offers(work.columns).lazy()
    unchanged = pl.QueryOptFlags.none()
    queries = [_query(offers, rule, work.columns) for rule in work.rules]
    return Ready(call, [partial(query.collect, optimizations=unchanged) for query in queries], _read)


def lazy_together(work: Workload) -> Ready:
    """Hand the same queries to ``collect_all``, which runs them side by side."""
    pl = package("polars")
    offers = _offers(work.columns).lazy()
    queries = [_query(offers, rule, work.columns) for rule in work.rules]
    return Ready(call, [lambda: pl.collect_all(queries)], lambda results: _read(results[0]))


def eager(work: Workload) -> Ready:
    """One policy after the other on a DataFrame, with prebuilt expressions."""
    offers = _offers(work.columns)
    return Ready(call, [_query_call(offers, rule, work.columns) for rule in work.rules], _read)


def a_query_a_shape(work: Workload) -> Ready:
    """One lazy query a shape: offers joined to all its tenants, extremes and scores by tenant, the best of each."""
    offers = _offers(work.columns).lazy()
    queries = [_shape_query(offers, shape, work.columns) for shape in group_by_shape(work)]
    return Ready(call, [query.collect for query in queries], partial(_read_tenants, len(work.policies)))


def _offers(columns: Columns) -> Any:
    pl = package("polars")
    rows = np.arange(len(columns), dtype=np.int32)
    return pl.DataFrame({"row": rows, "bit": provider_bits(columns), **columns.numbers, **columns.flags})


def _query(offers: Any, rule: Rule, columns: Columns) -> Any:
    pl = package("polars")
    kept = offers.filter(_condition(rule.condition, columns, _as_given, _as_given))
    scored = kept.select("row", _score(rule, _low_and_span, _as_given).alias("score"))
    return scored.top_k(K, by=[pl.col("score"), pl.col("row")], reverse=[False, True])


def _query_call(offers: Any, rule: Rule, columns: Columns) -> Callable[[], Any]:
    pl = package("polars")
    condition = _condition(rule.condition, columns, _as_given, _as_given)
    score = _score(rule, _low_and_span, _as_given).alias("score")
    best = {"by": [pl.col("score"), pl.col("row")], "reverse": [False, True]}
    return lambda: offers.filter(condition).select("row", score).top_k(K, **best)


def _shape_query(offers: Any, shape: Shape, columns: Columns) -> Any:
    pl = package("polars")
    rule, named = shape.rule, Constants()

    def number(value: float) -> Any:
        return pl.col(named.number(value))

    condition = _condition(rule.condition, columns, number, lambda mask: pl.col(named.mask(mask)))
    weights = len(named.numbers)
    score = _score(rule, _joined_low_and_span, number).alias("score")
    needed = ["tenant", "row", *rule.fields, *(f"p{at}" for at in range(weights, len(named.numbers)))]
    kept = pl.from_arrow(shape.tenants).lazy().join(offers, how="cross").filter(condition).select(needed)
    ends = [getattr(pl.col(field), end)().alias(f"{end} {field}") for field in rule.fields for end in ("min", "max")]
    scored = kept.join(kept.group_by("tenant").agg(ends), on="tenant").select("tenant", "row", score)
    best = pl.struct("score", "row").top_k_by([pl.col("score"), -pl.col("row")], K)
    return scored.group_by("tenant").agg(best.alias("best"))


def _as_given(value: Any) -> Any:
    return value


def _low_and_span(field: str) -> tuple[Any, Any]:
    column = package("polars").col(field)
    # Polars divides a column by a single value through its reciprocal, which is another number; the zeros make a column
    # of the divisor.
    return column.min(), column.max() - column.min() + column * 0.0


def _joined_low_and_span(field: str) -> tuple[Any, Any]:
    pl = package("polars")
    return pl.col(f"min {field}"), pl.col(f"max {field}") - pl.col(f"min {field}")


def _condition(condition: Condition, columns: Columns, number: Constant, mask: Constant) -> Any:
    pl = package("polars")

    def expression(condition: Condition) -> Any:
        match condition:
            case Compare(field, relation, bound):
                return pl.col(field) <= number(bound) if relation == "le" else pl.col(field) >= number(bound)
            case Flag(name):
                return pl.col(name)
            case OneOf(names):
                return (pl.col("bit") & mask(mask_of(names, columns))) != 0
            case Not(part):
                return ~expression(part)
            case Every(parts):
                return reduce(and_, map(expression, parts))
            case Some(parts):
                return reduce(or_, map(expression, parts))

    return expression(condition)


def _score(rule: Rule, ends: Callable[[str], tuple[Any, Any]], number: Constant) -> Any:
    pl = package("polars")
    summands = []
    for part in rule.parts:
        low, span = ends(part.field)
        # No value is infinite here, so both ends come out as exactly 0 and 1.
        scored = pl.when(span <= 0).then(0.0).otherwise((pl.col(part.field) - low) / span)
        scored = 1.0 - scored if part.reversed else scored
        summands.append(number(part.weight) * scored if part.weight != 1.0 else scored)
    return sum(summands[1:], summands[0])


def _read(results: list[Any]) -> Answers:
    return Answers.of((found["row"].to_list(), found["score"].to_list()) for found in results)


def _read_tenants(count: int, results: list[Any]) -> Answers:
    rankings: list[tuple[list[int], list[float]]] = [([], []) for _ in range(count)]
    for found in results:
        for tenant, best in zip(found["tenant"].to_list(), found["best"].to_list(), strict=True):
            # The best come as a set.
            ordered = sorted(best, key=lambda each: (-each["score"], each["row"]))
            rankings[tenant] = ([each["row"] for each in ordered], [each["score"] for each in ordered])
    return Answers.of(rankings)
