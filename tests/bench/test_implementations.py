"""All implementations that are here agree, on every offer and every bit, with ties and odd forms too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from operator import call
from typing import Any

import numpy as np
import pytest

from tenantrank.bench.answers import Answers, difference
from tenantrank.bench.implementations import BATCH, DICTS, NUMPY, RANKERS, TOGETHER, check, expected_answers, make_ready
from tenantrank.bench.offers import FLAGS, NUMBERS, PROVIDERS, synthetic_table
from tenantrank.bench.optional import AbsentError, package
from tenantrank.bench.peers import numpy_columns
from tenantrank.bench.ready import Implementation, Ready
from tenantrank.bench.workload import K, Workload
from tests.bench.works import own_work, tied_catalog
from tests.reference.evaluate import rank as reference_rank

ALL = [*RANKERS.values(), *(each for each in TOGETHER.values() if each.name not in RANKERS)]
WORKS = {
    "six shapes": lambda: Workload.make("six shapes", 160, 36),
    "distinct": lambda: Workload.make("distinct", 130, 24, seed=4),
    "ties": lambda: Workload.make("six shapes", 96, 36, 2, tied_catalog()),
    "other forms": lambda: own_work(tied_catalog()),
}


@pytest.fixture(scope="module", params=WORKS)
def work(request: pytest.FixtureRequest) -> Workload:
    made: Workload = WORKS[request.param]()
    return made


def by_reference(work: Workload) -> Answers:
    """Rank by the evaluator that is written from the specification."""
    fields = {name: {"sort": "Num", "default": work.catalog.fields[name].default} for name in NUMBERS}
    fields |= {name: {"sort": "Bool", "default": False} for name in FLAGS}
    records = []
    for offer in work.catalog.table.to_pylist():
        stated = {name: value for name, value in offer.items() if value is not None}
        capabilities = {n: v for n, v in stated.items() if n.startswith("supports_") or n == "context"}
        records.append({**stated, "capabilities": capabilities})
    row = {offer: at for at, offer in enumerate(work.catalog.offer_ids)}
    found = [reference_rank(policy.term, records, {}, fields) for policy in work.policies]
    return Answers.of(([row[o] for o in each.ordered[:K]], each.scores[:K]) for each in found)


def test_expected__is_what_the_specification_says(work: Workload) -> None:
    assert difference(expected_answers(work), by_reference(work)) is None


@pytest.mark.parametrize("implementation", ALL, ids=lambda each: each.name)
def test_implementations__agree(work: Workload, implementation: Implementation) -> None:
    try:
        ready = implementation.prepare(work)
    except AbsentError as error:
        pytest.skip(str(error))
    try:
        assert check(implementation, ready, work, expected_answers(work)) is None
    finally:
        ready.close()


def test_works__have_ties_empty_answers_and_short_ones() -> None:
    tied, odd = (expected_answers(WORKS[name]()) for name in ("ties", "other forms"))
    equal = (tied.scores[:, 1:] == tied.scores[:, :-1]) & (tied.rows[:, 1:] >= 0)

    assert equal.mean() > 0.4
    assert (np.diff(tied.rows, axis=1)[equal] > 0).all()
    assert (odd.rows[:, 0] < 0).any()
    assert ((odd.rows[:, 0] >= 0) & (odd.rows[:, -1] < 0)).any()


def test_check__tells_a_wrong_offer_a_wrong_bit_and_a_failure() -> None:
    work = Workload.make("six shapes", 96, 12)
    expected = expected_answers(work)
    numpy = RANKERS[NUMPY]
    moved = Answers(np.roll(expected.rows, 1, axis=1), expected.scores)
    bent = Answers(expected.rows, np.nextafter(expected.scores, 2))

    def said(answer: Callable[[], Any]) -> str:
        return str(check(numpy, Ready(call, [answer], lambda results: results[0]), work, expected))

    assert said(lambda: expected) == "None"
    assert "policies differ; the first is number 0, place 0" in said(lambda: moved)
    assert "policies differ" in said(lambda: bent)
    assert said(lambda: 1 / 0) == "failed: ZeroDivisionError: division by zero"
    assert said(lambda: expected.first(3, K)) == "(3, 5) answers in place of (12, 5)"


def test_check__fewer_places_are_compared_with_the_first_ones() -> None:
    work = Workload.make("six shapes", 96, 12)
    best = RANKERS["engine, one call, k=1"]

    assert check(best, best.prepare(work), work, expected_answers(work)) is None


def test_make_ready__takes_the_first_policies_and_names_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    work = Workload.make("six shapes", 64, 30)
    few = replace(RANKERS[DICTS], most=7)
    ready, absent = make_ready([RANKERS[BATCH], few, RANKERS["Polars, lazy"]], work, most=12)

    assert {name: len(part.policies) for name, (_, part) in ready.items()} == {BATCH: 12, DICTS: 7}
    assert absent == {"Polars, lazy": "polars is not installed: pip install 'tenantrank[bench]'"}


def test_package__one_that_breaks_while_it_loads_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise ImportError("undefined\nsymbol")

    monkeypatch.setattr("importlib.import_module", broken)

    with pytest.raises(AbsentError, match=r"^duckdb cannot be imported: undefined symbol$"):
        package("duckdb")


def test_expected_answers__notices_a_wrong_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    work = Workload.make("six shapes", 96, 12)
    monkeypatch.setattr(numpy_columns, "_best", lambda scores: np.arange(len(scores))[:K])

    with pytest.raises(AssertionError, match="disagree"):
        expected_answers(work)


def test_offers__every_provider_has_a_bit() -> None:
    assert len(PROVIDERS) < 63
    assert set(synthetic_table(4096)["provider_id"].to_pylist()) == set(PROVIDERS)
