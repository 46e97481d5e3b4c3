"""Warming up: every kernel compiled, or loaded from the cache, before the first ranking is waited for."""

from __future__ import annotations

from tenantrank.catalog import Catalog
from tenantrank.engine.compiled import WORTH_A_TABLE
from tenantrank.engine.engine import Engine
from tenantrank.engine.misses import nearest_miss
from tenantrank.engine.request import Request
from tenantrank.policy.policy import admit
from tenantrank_kernels import compiled_before

_POLICY = ["policy", ["meets_req"], ["field", "price_in"], ["argmax"], ["id"], ["always", {"action": "abort"}]]


def warm() -> None:
    """Make ready all that the first ranking of a process would otherwise wait for.

    Compiling takes some seconds and is done once for a version of the package and a kind of processor; see
    `is_warm`. A server calls this before it says that it is ready.
    """
    catalog = Catalog.from_records([{"id": "a", "provider_id": "p", "model_family": "m"}])
    engine = Engine(catalog, threads=1)
    policy = admit(_POLICY, catalog.fields)
    explanation = engine.rank(policy, k=1).explain()
    engine.with_health({"ema": {"p|m": {"price_in": 1.0}}})
    explanation.table()
    explanation.deciding()
    engine.holds(policy.clauses)
    nearest_miss(engine._now, policy, {})
    for _ in range(2):
        engine.rank_rows([policy] * WORTH_A_TABLE, k=1)  # enough to be remembered by their object, then found by it
    engine.rejections(policy)
    engine.clause_counts(policy)
    engine.rank(policy, Request(needs=("tools",)), k=1).explain().first_reasons()


def is_warm() -> bool:
    """Say whether an earlier process has compiled the kernels, so that they need only be loaded."""
    return compiled_before()
