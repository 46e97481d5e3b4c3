"""The one table of implementations: tests check that all agree, benchmarks time the same calls.

Nothing is timed that is not checked: `check` compares every offer and every bit of every score, and what differs is a
failure that the report shows in place of a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from tenantrank.bench.answers import Answers, difference
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.peers import (
    arrow_compute,
    c_files,
    duckdb_queries,
    engine_calls,
    numpy_columns,
    polars_queries,
    pure_python,
)
from tenantrank.bench.ready import Implementation, Ready
from tenantrank.bench.workload import Workload

_MANY, _SOME, _FEW = 6000, 600, 60

BATCH = "engine, batch"
SINGLE_BEST = "engine, one call, k=1"
SINGLE = "engine, one call, k=5"
NUMPY = "NumPy"
C_SCAN = "C, column scan"
DICTS = "Python, dicts"


def _table(*implementations: Implementation) -> Mapping[str, Implementation]:
    return MappingProxyType({each.name: each for each in implementations})


_C_HOW = " ".join(("compiled here by the system's C compiler with", *c_files.FLAGS[:3]))

RANKERS = _table(
    Implementation(BATCH, "engine", engine_calls.batch(1), _MANY, "one call of rank_rows for all policies, one thread"),
    Implementation(SINGLE_BEST, "engine", engine_calls.one_by_one(1), _MANY, "one call of Engine.rank a policy", 1),
    Implementation(SINGLE, "engine", engine_calls.one_by_one(5), _MANY, "one call of Engine.rank a policy"),
    *(
        Implementation(name, "baseline", c_files.batch(name), _MANY, f"one call for all policies, one thread; {_C_HOW}")
        for name in c_files.FILES
    ),
    Implementation(NUMPY, "baseline", numpy_columns.prepare, _SOME, "compiled closures over columns, one thread"),
    Implementation(
        "Python, generated code", "peer", pure_python.generated, _FEW, "a function a policy over columns as lists"
    ),
    Implementation(DICTS, "peer", pure_python.dicts, _FEW, "closures over one dict an offer"),
    Implementation("pyarrow.compute", "peer", arrow_compute.prepare, _FEW, "kernel calls over arrays, one thread"),
    Implementation(
        "Polars, lazy", "peer", polars_queries.lazy, _FEW, "one prebuilt query a policy; Polars' own two threads"
    ),
    Implementation(
        "Polars, collect_all", "peer", polars_queries.lazy_together, _FEW, "the same queries, handed over all at once"
    ),
    Implementation("Polars, eager", "peer", polars_queries.eager, _FEW, "prebuilt expressions on a DataFrame"),
    Implementation(
        "DuckDB", "peer", duckdb_queries.a_statement_a_policy, _FEW, "one prepared statement a policy, one thread"
    ),
)
"""Rankers of one policy after the other, by name."""

TOGETHER = _table(
    Implementation("engine, one thread", "engine", engine_calls.batch(1), _MANY, "one call of rank_rows"),
    Implementation("engine, two threads", "engine", engine_calls.batch(2), _MANY, "the same, two threads at most"),
    *(
        Implementation(f"{name}, two threads", "baseline", c_files.batch(name, 2), _MANY, f"by chunks; {_C_HOW}")
        for name in c_files.FILES
    ),
    Implementation(NUMPY, "baseline", numpy_columns.prepare, _MANY, "one policy after the other, one thread"),
    Implementation(
        "Polars, a query a shape",
        "peer",
        polars_queries.a_query_a_shape,
        _MANY,
        "offers joined to tenants, two threads",
    ),
    Implementation(
        "DuckDB, a statement a shape",
        "peer",
        duckdb_queries.a_statement_a_shape,
        _MANY,
        "offers joined to tenants, prepared, two threads",
    ),
)
"""Rankers of many tenants at once, by name."""


def make_ready(
    chosen: Iterable[Implementation], work: Workload, most: int | None = None
) -> tuple[dict[str, tuple[Ready, Workload]], dict[str, str]]:
    """Make implementations ready for the first policies of a workload, as many as a timed pass takes of each.

    Returns
    -------
    by name what is ready and the part of the workload that it ranks; and by name why others are absent, one line each
    """
    ready: dict[str, tuple[Ready, Workload]] = {}
    absent: dict[str, str] = {}
    parts: dict[int, Workload] = {}
    for each in chosen:
        count = each.most if most is None else min(each.most, most)
        part = parts.setdefault(count, work.first(count))
        try:
            ready[each.name] = each.prepare(part), part
        except AbsentError as error:
            absent[each.name] = str(error)
    return ready, absent


def check(implementation: Implementation, ready: Ready, work: Workload, expected: Answers) -> str | None:
    """Rank once and say in one line what differs from the answers expected; ``None`` where all agree.

    ``work`` is what it was made ready for; ``expected`` may go on to further policies.
    """
    try:
        found = ready.answers()
    except Exception as error:
        return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return difference(found, expected.first(len(work.policies), implementation.k))


def expected_answers(work: Workload) -> Answers:
    """Work out what every implementation must answer.

    By NumPy, of which the first sixty policies are compared with the plain evaluator, one offer at a time.

    Raises
    ------
    AssertionError
        where the two differ
    """
    answers = numpy_columns.prepare(work).answers()
    plain = pure_python.dicts(work.first(_FEW)).answers()
    wrong = difference(answers.first(len(plain), plain.rows.shape[1]), plain)
    if wrong is not None:
        raise AssertionError(f"NumPy and plain Python disagree: {wrong}")
    return answers
