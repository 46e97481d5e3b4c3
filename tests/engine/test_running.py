"""Running plans: the arrays that come back."""

from __future__ import annotations

import numpy as np

from tenantrank.catalog.health import Health
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.lower import lower
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ranked, run
from tenantrank.engine.view import View
from tenantrank.policy.signature import V2
from tests.engine.samples import catalog_of, offer, policy_of

CATALOG = catalog_of(
    offer("a", price_in=1.0, capabilities={"supports_tools": True}),
    offer("b", price_in=3.0),
    offer("c", price_in=2.0, capabilities={"supports_tools": True}),
)


def test_run__ranks_each_plan_for_its_own_request_and_seed() -> None:
    index = CatalogIndex(CATALOG)
    view = View(index, Health(), V2)
    dear = policy_of(CATALOG, ["meets_req"], ["field", "price_in"])
    drawn = policy_of(CATALOG, ["top"], ["field", "price_in"], ["sample", 50])
    plans = [lower(p.filter, p.scorer, p.selector, index, view) for p in (dear, dear, drawn, drawn)]
    requests = [Request(), Request(needs=("tools",))]
    prepared = [(view.live_rows(request), view.request_columns(request)) for request in requests]
    result = run(view, plans, prepared, [0, 1, 0, 0], [0, 0, 1, 4], 2)
    assert result.rows[0].tolist() == [1, 2]
    assert result.rows[1].tolist() == [2, 0]
    assert result.scores[1].tolist() == [2.0, 1.0]
    assert result.survived.tolist() == [3, 2, 3, 3]
    assert result.ranked.tolist() == [2, 2, 2, 2]
    alone = run(view, plans[3:], prepared[:1], [0], [4], 2)
    assert alone.rows[0].tolist() == result.rows[3].tolist()


def test_ranked__is_put_together_from_parts_by_position() -> None:
    whole = Ranked.empty(3, 2)
    assert whole.rows.tolist() == [[-1, -1]] * 3
    assert np.isnan(whole.scores).all()
    part = Ranked(
        np.array([[5, 6], [7, -1]], dtype=np.int32),
        np.array([[1.0, 0.5], [2.0, np.nan]]),
        np.array([2, 1], dtype=np.int32),
        np.array([9, 1], dtype=np.int32),
    )
    whole.put([2, 0], part)
    assert whole.rows.tolist() == [[7, -1], [-1, -1], [5, 6]]
    assert whole.ranked.tolist() == [1, 0, 2]
    assert whole.survived.tolist() == [1, 0, 9]
    assert whole.scores[2].tolist() == [1.0, 0.5]
