"""Plans laid end to end."""

from __future__ import annotations

from tenantrank.catalog.health import Health
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import lower
from tenantrank.engine.plan import Batch, Plan
from tenantrank.engine.view import View
from tenantrank.policy.signature import V2
from tests.engine.samples import catalog_of, offer, policy_of

CATALOG = catalog_of(offer("a", "p"), offer("b", "q"))
INDEX = CatalogIndex(CATALOG)
VIEW = View(INDEX, Health(), V2)


def plan_of(condition: list[object], scorer: list[object], selector: list[object]) -> Plan:
    policy = policy_of(CATALOG, condition, scorer, selector)
    return lower(policy.filter, policy.scorer, policy.selector, INDEX, VIEW)


def test_batch__gives_each_plan_its_own_slice_in_order() -> None:
    chain: list[object] = ["chain", [{"provider": "q", "model": "m"}, {"provider": "p", "model": "m"}]]
    plans = [
        plan_of(["cmp", "price_in", "le", 3], ["scale", 2, ["field", "price_in"]], ["top_k", 3, ["sample", 0.5]]),
        plan_of(["top"], ["zero"], chain),
        plan_of(["top"], ["add", ["lit", 4], ["lit", 5], ["neg", ["add", ["lit", 6], ["lit", 7]]]], ["ordered"]),
    ]
    batch = Batch.of(plans)
    for at, plan in enumerate(plans):
        assert batch.code[batch.code_bounds[at] : batch.code_bounds[at + 1]].tolist() == plan.code.tolist()
        numbers = batch.constants[batch.constant_bounds[at] : batch.constant_bounds[at + 1]]
        assert numbers.tolist() == plan.constants.tolist()
        listed = slice(batch.chain_bounds[at], batch.chain_bounds[at + 1])
        assert batch.chain_rows[listed].tolist() == plan.chain_rows.tolist()
        assert batch.chain_places[listed].tolist() == plan.chain_places.tolist()
        kept = (batch.selectors[at], batch.limits[at], batch.temperatures[at])
        assert kept == (plan.selector, plan.limit, plan.temperature)
    assert batch.depth == max(plan.depth for plan in plans)
    assert plans[0].limit == 3
    assert plans[0].temperature == 0.5
    assert plans[1].chain_rows.tolist() == [1, 0]
