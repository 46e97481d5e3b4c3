"""A policy's way in and out: admission from bytes, and the reasons behind a decision."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import numpy as np

import tenantrank as tr
from tenantrank.bench.answers import Answers
from tenantrank.bench.policies import terms
from tenantrank.bench.workload import Workload, passing


def bench_admission__new_bytes(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    """Every round admits policies that were never seen before."""
    fields = work[0].catalog.fields
    benchmark.group = f"admission | {len(work[0].catalog)} offers"
    unseen = terms("distinct", 7)

    def texts() -> tuple[tuple[list[bytes]], dict[str, Any]]:
        return ([json.dumps(term).encode() for term in islice(unseen, 20)],), {}

    def admit(given: list[bytes]) -> list[tr.Policy]:
        return [tr.admit(text, fields) for text in given]

    admitted = benchmark.pedantic(admit, setup=texts, rounds=5)
    assert len({policy.identity for policy in admitted}) == 20


def bench_admission__same_bytes(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    fields = work[0].catalog.fields
    benchmark.group = f"admission | {len(work[0].catalog)} offers"
    text = json.dumps(next(terms("six shapes", 1))).encode()

    assert benchmark(lambda: tr.admit(text, fields)) == work[0].policies[0]


def bench_explain__first_failing_clauses(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    made, _ = work
    engine = tr.Engine(made.catalog)
    benchmark.group = f"explain | {len(made.catalog)} offers"
    found = benchmark(lambda: engine.rejections(made.policies[0]))

    assert ((found.first == len(found.clauses)) == passing(made.rules[0].condition, made.columns)).all()


def bench_explain__counts_per_clause(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    made, _ = work
    engine = tr.Engine(made.catalog)
    benchmark.group = f"explain | {len(made.catalog)} offers"
    counts = benchmark(lambda: engine.clause_counts(made.policies[0]))

    assert counts.sum() == np.sum(~passing(made.rules[0].condition, made.columns))


def bench_explain__reasons_in_words(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    made, _ = work
    engine = tr.Engine(made.catalog)
    benchmark.group = f"explain | {len(made.catalog)} offers"
    rejected = benchmark(lambda: dict(engine.rank(made.policies[0], k=1).rejected))

    assert len(rejected) == np.sum(~passing(made.rules[0].condition, made.columns))


def bench_explain__every_offer_as_a_table(benchmark: Any, work: tuple[Workload, Answers]) -> None:
    """Ranking included, with every failing clause, what fails for want of knowledge, places and scores."""
    made, _ = work
    engine = tr.Engine(made.catalog)
    benchmark.group = f"explain | {len(made.catalog)} offers"
    table = benchmark(lambda: engine.rank(made.policies[0]).explain().table())

    passes = passing(made.rules[0].condition, made.columns)
    assert table["passes"].to_pylist() == passes.tolist()
    assert len(table) - table["place"].null_count == np.sum(passes)
