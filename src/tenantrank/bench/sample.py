"""A customer base of any size for the sample rulebook, in the proportions of a small B2B product, and its catalog."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from tenantrank.bench.optional import AbsentError
from tenantrank.catalog import Catalog
from tenantrank.catalog.files import bundled_path
from tenantrank.errors import CatalogError
from tenantrank.tenants import Rulebook

DAY = date(2026, 11, 23)
"""The day by which the sample is judged; what the example overlay attests holds on it."""

_PLANS = ("free", "team", "enterprise", "premium")
_SHARES = (0.54, 0.27, 0.12, 0.07)
_REGIONS = ("global", "eu", "us")
_REGION_SHARES = ((0.72, 0.20, 0.08), (0.58, 0.30, 0.12), (0.40, 0.45, 0.15), (0.55, 0.30, 0.15))
_CLASSES = ("public", "internal", "sensitive", "regulated")
_CLASS_SHARES = ((0.85, 0.15, 0, 0), (0.35, 0.55, 0.10, 0), (0, 0.55, 0.30, 0.15), (0.30, 0.50, 0.20, 0))
_VIP = (0.0, 0.04, 0.25, 0.20)
_SIGNED = (0.05, 0.55, 0.90, 0.75)
_OWN_CEILINGS = (1.8, 19.0, 40.0, 60.0)
_APPROVED = (
    "azure", "azure;openai", "amazon-bedrock", "amazon-bedrock;anthropic", "azure;mistral;amazon-bedrock",
    "amazon-bedrock;google-vertex", "azure;amazon-bedrock;google-vertex;anthropic;openai",
)  # fmt: skip
_EXCLUDED = ("openai", "openrouter;deepinfra;togetherai", "amazon-bedrock")


def sample_catalog() -> Catalog:
    """Read the bundled catalog with the example overlay, as of `DAY`."""
    return Catalog.bundled(DAY).with_overlay(_path("overlay.example.yaml"), DAY)


def sample_rulebook() -> Rulebook:
    """Read the sample rulebook."""
    return Rulebook.load(_path("rules.yaml"))


def sample_tenants(count: int, seed: int = 1, distinct: bool = False, first: int = 0) -> pa.Table:
    """Make a table of tenants for the sample rulebook.

    Parameters
    ----------
    count
        how many
    seed
        decides every cell
    distinct
        every tenant has a price ceiling of its own, a random real, so that no two policies are equal
    first
        the number of the first tenant, for tables made in slices
    """
    rng = np.random.RandomState(seed)
    plan = rng.choice(4, count, p=_SHARES)
    columns: dict[str, Any] = {
        "tenant_id": pa.array([f"t{number:07d}" for number in range(first, first + count)]),
        "plan": _named(plan, _PLANS),
        "region": _named(_by_plan(rng, plan, _REGION_SHARES), _REGIONS),
        "data_class": _named(_by_plan(rng, plan, _CLASS_SHARES), _CLASSES),
        "workload": _named((rng.random_sample(count) < 0.12).astype(int), ("interactive", "batch")),
        "vip": pa.array(rng.random_sample(count) < np.array(_VIP)[plan]),
        "dpa_signed": pa.array(
            rng.random_sample(count) < np.array(_SIGNED)[plan], mask=rng.random_sample(count) < 0.05
        ),
    }
    enterprise = plan == _PLANS.index("enterprise")
    columns["approved_providers"] = _lists(_APPROVED, rng.randint(0, len(_APPROVED), count), enterprise)
    excluding = ~enterprise & (plan > 0) & (rng.random_sample(count) < 0.1)
    columns["excluded_providers"] = _lists(_EXCLUDED, rng.randint(0, len(_EXCLUDED), count), excluding)
    floors, ceilings = rng.choice([0.65, 0.7, 0.72], count), rng.choice([2.0, 5.0, 10.0, 15.0], count)
    has_floor = (plan >= 2) & (rng.random_sample(count) < 0.25)
    has_ceiling = (plan == 1) & (rng.random_sample(count) < 0.25)
    if distinct:
        # Below the plan's own ceiling, so that it is the tenant's that stands.
        ceilings = 0.2 + rng.random_sample(count) * np.array(_OWN_CEILINGS)[plan]
        has_ceiling = np.ones(count, dtype=bool)
    columns["quality_floor"] = pa.array(floors, mask=~has_floor)
    columns["price_ceiling"] = pa.array(ceilings, mask=~has_ceiling)
    return pa.table(columns)


def _path(name: str) -> Any:
    try:
        return bundled_path(name)
    except CatalogError as error:
        raise AbsentError(f"the sample is not here: {error}") from None


def _named(codes: Any, names: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(names)).dictionary_decode()


def _by_plan(rng: np.random.RandomState, plan: Any, shares: Sequence[Sequence[float]]) -> Any:
    """Draw for each tenant by the shares of its plan."""
    ends = np.cumsum(np.array(shares), axis=1)[plan]
    return (rng.random_sample(len(plan))[:, None] >= ends).sum(axis=1).clip(0, len(shares[0]) - 1)


def _lists(texts: Sequence[str], chosen: Any, given: Any) -> pa.Array:
    values = [text.split(";") for text in texts]
    return pa.array([values[at] if has else None for at, has in zip(chosen.tolist(), given.tolist(), strict=True)])
