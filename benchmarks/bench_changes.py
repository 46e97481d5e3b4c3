"""A world that changes, and a whole customer base: new engines, new health, tables of tenants."""

from __future__ import annotations

from typing import Any

import pytest

import tenantrank as tr
from benchmarks.conftest import measuring
from tenantrank.bench.answers import Answers
from tenantrank.bench.offers import synthetic_table
from tenantrank.bench.sample import sample_catalog, sample_rulebook, sample_tenants
from tenantrank.bench.workload import Workload


def bench_new_engine__to_the_first_ranking(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    made, expected = work
    table = synthetic_table(len(made.catalog))
    benchmark.group = f"updates | {len(made.catalog)} offers"

    def new_catalog() -> tuple[tuple[tr.Catalog], dict[str, Any]]:
        return (tr.Catalog.from_table(table),), {}

    def change(catalog: tr.Catalog) -> Any:
        return tr.Engine(catalog).rank_rows(made.policies[:1], k=5)

    ranked = benchmark.pedantic(change, setup=new_catalog, rounds=5)
    assert ranked.rows[0].tolist() == expected.rows[0].tolist()


def bench_new_health__to_the_first_ranking(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    made, expected = work
    engine = tr.Engine(made.catalog)
    benchmark.group = f"updates | {len(made.catalog)} offers"
    change = {made.catalog.strings("provider_id")[1][0]: True}
    ranked = benchmark(
        lambda: engine.with_health(engine.health.updated(breakers=change)).rank_rows(made.policies[:1], k=5)
    )

    assert ranked.rows[0].tolist() == expected.rows[0].tolist()


@pytest.mark.parametrize("distinct", [False, True], ids=["sample", "all distinct"])
def bench_rank_tenants(benchmark: Any, request: pytest.FixtureRequest, distinct: bool) -> None:
    engine, rulebook = tr.Engine(sample_catalog()), sample_rulebook()
    table = sample_tenants(10_000 if measuring(request.config) else 50, distinct=distinct)
    benchmark.group = f"tenants | {table.num_rows} tenants"
    ranked = benchmark(lambda: engine.rank_tenants(rulebook, table, k=5))

    assert ranked.num_rows == table.num_rows
    assert "error" not in ranked["status"].to_pylist()
