"""Rank every model for every tenant, and prove which rule decided.

>>> import tenantrank as tr
>>> catalog = tr.Catalog.bundled()
>>> policy = tr.admit(["policy", ["is", "priced"], ["neg", ["normalize", ["field", "price_out"]]],
...                    ["argmax"], ["id"], ["always", {"action": "next_candidate"}]], catalog.fields)
>>> decision = tr.Engine(catalog).rank(policy, k=3)
>>> len(decision.offer_ids)
3
"""

from typing import TYPE_CHECKING, Any

from tenantrank import tenants as _tenants
from tenantrank.catalog import Catalog
from tenantrank.catalog.health import Health
from tenantrank.engine import Decision, Engine, Explanation, Rejections, Request, is_warm, warm
from tenantrank.errors import (
    CatalogError,
    HealthError,
    PolicyError,
    RequestError,
    RulebookError,
    TenantError,
    TenantrankError,
    TraceError,
)
from tenantrank.policy import builder
from tenantrank.policy.describe import describe
from tenantrank.policy.failure_plan import classify
from tenantrank.policy.policy import Policy, Term, admit, admit_term
from tenantrank.policy.signature import Field, Fields
from tenantrank.tenants import Conflict, Origin

if TYPE_CHECKING:
    from tenantrank.tenants import CompiledPolicy, Fleet, RowError, Rulebook, read_tenants
    from tenantrank.trace import TraceLog

    __version__: str

__all__ = [
    "Catalog",
    "CatalogError",
    "CompiledPolicy",
    "Conflict",
    "Decision",
    "Engine",
    "Explanation",
    "Field",
    "Fields",
    "Fleet",
    "Health",
    "HealthError",
    "Origin",
    "Policy",
    "PolicyError",
    "Rejections",
    "Request",
    "RequestError",
    "RowError",
    "Rulebook",
    "RulebookError",
    "TenantError",
    "TenantrankError",
    "Term",
    "TraceError",
    "TraceLog",
    "__version__",
    "admit",
    "admit_term",
    "builder",
    "classify",
    "describe",
    "is_warm",
    "read_tenants",
    "warm",
]


def __getattr__(name: str) -> Any:
    """Look up when first asked for what takes long to import and not every program needs."""
    if name == "__version__":
        value: Any = _installed_version()
    elif name == "TraceLog":
        from tenantrank import trace

        value = trace.TraceLog
    elif name in __all__:
        value = getattr(_tenants, name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tenantrank")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
