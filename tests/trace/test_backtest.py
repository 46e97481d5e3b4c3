"""Backtests: what another catalog or rulebook would have changed, and at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.tenants import read_tenants
from tenantrank.trace.backtest import Backtest, Used, backtest, used_of
from tenantrank.trace.log import TraceLog
from tenantrank.trace.recompute import decisions_of
from tests.cli.running import RULEBOOK, TENANTS
from tests.engine.samples import policy_of
from tests.trace.decided import altered, logging, small_catalog, small_rulebook


@pytest.fixture
def log(tmp_path: Path) -> Iterator[TraceLog]:
    """Tenants t1 … t3 as the rulebook has them; t1 and t2 took the cheaper offer, t3 may have none."""
    (tmp_path / "tenants.csv").write_text(TENANTS)
    book = small_rulebook(tmp_path)
    fleet = book.compile_many(read_tenants(tmp_path / "tenants.csv"))
    engine = tr.Engine(small_catalog())
    with logging(tmp_path) as log:
        for row, tenant in enumerate(fleet.tenants[:3]):
            compiled = fleet.compiled(row)
            assert compiled is not None
            log.record(engine.rank(compiled), f"tr_{row}", tenant, None, None, compiled, book)
            if row < 2:
                log.attempts(f"tr_{row}", [attempt("a|x", "timeout"), attempt("b|x", None, 1000, 500_000)])
        log.flush()
        yield log


def attempt(offer: str, outcome: str | None, tokens_in: int | None = None, tokens_out: int | None = None) -> Any:
    return {"offer": offer, "outcome": outcome, "tokens_in": tokens_in, "tokens_out": tokens_out}


def tested(log: TraceLog, **other: Any) -> Backtest:
    stored = list(log.store.records())
    return backtest(log.store, decisions_of(stored), used_of(stored), **other)


def test_used_of__is_what_the_answer_took(log: TraceLog) -> None:
    assert used_of(log.store.records()) == {f"tr_{row}": Used("b|x", 1000, 500_000) for row in (0, 1)}


def test_backtest__the_same_catalog_changes_nothing(log: TraceLog) -> None:
    found = tested(log, catalog=small_catalog())

    assert (found.count, found.compared, found.first, found.order, found.none, found.some) == (3, 3, 0, 0, 0, 0)
    assert found.priced == 2
    assert found.cost_before == found.cost_after == pytest.approx(2 * (0.001 + 1.0))
    assert not found.refused


def test_backtest__a_dearer_offer_loses_its_place(log: TraceLog) -> None:
    found = tested(log, catalog=small_catalog(price_out=9.0))

    assert found.moves == {("b|x", "a|x"): 1, ("b|x", None): 1}
    assert (found.first, found.order, found.none, found.some) == (2, 2, 1, 0)
    assert found.priced == 1
    assert found.cost_before == pytest.approx(1.001)
    assert found.cost_after == pytest.approx(2.001)
    change = found.changes[0]
    assert (change.id, change.tenant, change.before, change.after) == ("tr_0", "t1", "b|x", "a|x")
    assert change.cost_after == pytest.approx(2.001)


def test_backtest__another_rulebook_makes_the_policies_anew(log: TraceLog, tmp_path: Path) -> None:
    rules = tr.Rulebook.from_value(
        {
            "version": 1,
            "key": "tenant_id",
            "fields": {
                "plan": {"type": "enum", "values": ["free", "paid"]},
                "most": {"type": "number", "optional": True},
            },
            "defaults": {"preference": {"highest": "price_out"}},
            "rules": [{"id": "base", "require": [["is", "priced"]]}],
        }
    )
    found = tested(log, rulebook=rules, tenants=read_tenants(tmp_path / "tenants.csv"))

    assert found.moves == {("b|x", "a|x"): 2, (None, "a|x"): 1}
    assert (found.compared, found.some, found.none) == (3, 1, 0)


def test_backtest__says_what_could_not_be_compared(log: TraceLog, tmp_path: Path) -> None:
    table = pa.table({"tenant_id": ["t1", "t2"], "plan": ["free", "gold"], "most": ["", ""]})
    found = tested(log, rulebook=small_rulebook(tmp_path), tenants=table)
    (tmp_path / "unknown.yaml").write_text(RULEBOOK.replace("priced", "blessed"))
    unknown = tested(log, rulebook=tr.Rulebook.load(tmp_path / "unknown.yaml"), tenants=table)

    assert (found.count, found.compared) == (3, 1)
    assert sum(found.refused.values()) == 2
    assert any("plan" in why for why in found.refused)
    assert found.refused["its tenant is not in the table of tenants"] == 1
    assert unknown.compared == 0
    assert all("blessed" in why for why in unknown.refused)


def test_backtest__a_policy_that_the_catalog_does_not_know_is_told(tmp_path: Path) -> None:
    with_bench = tr.Catalog.from_records(
        [{"id": "a", "provider_id": "p", "model_family": "m", "mine": 1.0}], {"mine": {"sort": "Num", "default": 0}}
    )
    policy = policy_of(with_bench, ["cmp", "mine", "ge", 1])
    with logging(tmp_path) as log:
        log.record(tr.Engine(with_bench).rank(policy), "tr_1")
        log.flush()
        found = tested(log, catalog=small_catalog())

    assert found.compared == 0
    assert any("mine" in why for why in found.refused)


def test_backtest__a_damaged_record_is_counted_and_no_more(log: TraceLog) -> None:
    stored = [altered(each, lambda record: record.update(k="all")) for each in log.store.records(kind="decision")]
    found = backtest(log.store, decisions_of(stored), {}, catalog=small_catalog())

    assert (found.count, found.compared) == (3, 0)
