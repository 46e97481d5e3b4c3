"""DuckDB: a prepared statement a policy on one thread; and one statement a shape that ranks all its tenants, on two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from tenantrank.bench.answers import Answers
from tenantrank.bench.optional import package
from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Rule, Some
from tenantrank.bench.shapes import Constants, Shape, group_by_shape, mask_of, provider_bits
from tenantrank.bench.workload import Columns, K, Workload


def a_statement_a_policy(work: Workload) -> Ready:
    """One prepared statement a policy, its constants in it; a single thread, since a second only costs at this size."""
    connection = _database(work.columns, threads=1)
    for at, rule in enumerate(work.rules):
        connection.execute(f"PREPARE s{at} AS {_policy_query(rule, work.columns)}")

    def rank(at: int) -> Any:
        return connection.execute(f"EXECUTE s{at}").fetchall()

    def read(results: list[Any]) -> Answers:
        return Answers.of(([row for row, _ in found], [score for _, score in found]) for found in results)

    return Ready(rank, range(len(work.rules)), read, connection.close)


def a_statement_a_shape(work: Workload) -> Ready:
    """One prepared statement a shape, its tenants' constants in a table; two threads."""
    connection = _database(work.columns, threads=2)
    shapes = group_by_shape(work)
    for at, shape in enumerate(shapes):
        _add_table(connection, f"tenants{at}", shape.tenants)
        connection.execute(f"PREPARE s{at} AS {_shape_query(shape, f'tenants{at}', work.columns)}")

    def rank(at: int) -> Any:
        return connection.execute(f"EXECUTE s{at}").fetchall()

    def read(results: list[Any]) -> Answers:
        rankings: list[tuple[list[int], list[float]]] = [([], []) for _ in work.policies]
        for found in results:
            for tenant, best in found:
                rankings[tenant] = ([-each["turned"] for each in best], [each["score"] for each in best])
        return Answers.of(rankings)

    return Ready(rank, range(len(shapes)), read, connection.close)


def _database(columns: Columns, threads: int) -> Any:
    connection = package("duckdb").connect()
    connection.execute(f"SET threads = {threads}")
    rows = pa.array(np.arange(len(columns), dtype=np.int32))
    _add_table(
        connection,
        "offers",
        pa.table({"row": rows, "bit": provider_bits(columns), **columns.numbers, **columns.flags}),
    )
    return connection


def _add_table(connection: Any, name: str, table: pa.Table) -> None:
    connection.register("given", table)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    connection.unregister("given")


def _policy_query(rule: Rule, columns: Columns) -> str:
    condition = _condition(rule.condition, columns, _literal, str)
    score = _score(rule, lambda field: (f"min({field}) OVER ()", f"max({field}) OVER ()"), _literal)
    # `row` names a function too.
    return f'SELECT "row", {score} AS score FROM offers WHERE {condition} ORDER BY score DESC, "row" LIMIT {K}'


def _shape_query(shape: Shape, table: str, columns: Columns) -> str:
    rule, named = shape.rule, Constants()
    condition = _condition(rule.condition, columns, named.number, named.mask)
    weights = len(named.numbers)
    score = _score(rule, lambda field: (f"low_{field}", f"high_{field}"), named.number)
    kept = ["tenant", '"row"', *rule.fields, *(f"p{at}" for at in range(weights, len(named.numbers)))]
    ends = ", ".join(f"min({field}) AS low_{field}, max({field}) AS high_{field}" for field in rule.fields)
    return (
        f"WITH kept AS MATERIALIZED (SELECT {', '.join(kept)} FROM {table} JOIN offers ON {condition}), "
        f"ends AS (SELECT tenant, {ends} FROM kept GROUP BY tenant), "
        f'scored AS (SELECT tenant, {score} AS score, -"row" AS turned FROM kept JOIN ends USING (tenant)) '
        # The greatest of pairs: by score, then by the earliest row.
        f"SELECT tenant, max({{'score': score, 'turned': turned}}, {K}) AS best FROM scored GROUP BY tenant"
    )


def _literal(value: float) -> str:
    """Write a DOUBLE; without an exponent it would be a DECIMAL."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def _condition(
    condition: Condition, columns: Columns, number: Callable[[float], str], mask: Callable[[int], str]
) -> str:
    def text(condition: Condition) -> str:
        match condition:
            case Compare(field, relation, bound):
                return f"{field} {'<=' if relation == 'le' else '>='} {number(bound)}"
            case Flag(name):
                return name
            case OneOf(names):
                return f"(bit & {mask(mask_of(names, columns))}) <> 0"
            case Not(part):
                return f"NOT ({text(part)})"
            case Every(parts):
                return " AND ".join(f"({text(part)})" for part in parts)
            case Some(parts):
                return " OR ".join(f"({text(part)})" for part in parts)

    return text(condition)


def _score(rule: Rule, ends: Callable[[str], tuple[str, str]], number: Callable[[float], str]) -> str:
    summands = []
    for part in rule.parts:
        low, high = ends(part.field)
        # No value is infinite here, so both ends come out as exactly 0 and 1.
        scored = f"CASE WHEN {high} <= {low} THEN 0e0 ELSE ({part.field} - {low}) / ({high} - {low}) END"
        scored = f"(1e0 - {scored})" if part.reversed else scored
        summands.append(f"{number(part.weight)} * {scored}" if part.weight != 1.0 else scored)
    return " + ".join(summands)
