"""Rank every model for every tenant, and prove which rule decided.

>>> import tenantrank as tr
>>> catalog = tr.Catalog.bundled()
>>> policy = tr.admit(["policy", ["is", "priced"], ["neg", ["normalize", ["field", "price_out"]]],
...                    ["argmax"], ["id"], ["always", {"action": "next_candidate"}]], catalog.fields)
>>> decision = tr.Engine(catalog).rank(policy, k=3)
>>> len(decision.offer_ids)
3
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from tenantrank.tenants import CompiledPolicy, Conflict, Fleet, Origin, RowError, Rulebook, read_tenants
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


_MODULES = {
    "catalog": ("Catalog",),
    "catalog.health": ("Health",),
    "engine": ("Decision", "Engine", "Explanation", "Rejections", "Request", "is_warm", "warm"),
    "errors": (
        "CatalogError",
        "HealthError",
        "PolicyError",
        "RequestError",
        "RulebookError",
        "TenantError",
        "TenantrankError",
        "TraceError",
    ),
    "policy.describe": ("describe",),
    "policy.failure_plan": ("classify",),
    "policy.policy": ("Policy", "Term", "admit", "admit_term"),
    "policy.signature": ("Field", "Fields"),
    "tenants": ("CompiledPolicy", "Conflict", "Fleet", "Origin", "RowError", "Rulebook", "read_tenants"),
    "trace": ("TraceLog",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is first asked for: the command line's help, or who admits a policy, needs no compiler."""
    if name == "__version__":
        value: Any = _installed_version()
    elif name in _MODULE_OF:
        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    elif name == "builder":
        value = import_module(f"{__name__}.policy.builder")
    elif name in ("catalog", "engine", "errors", "policy", "tenants"):
        value = import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List what there is, imported yet or not, as for completion in a console."""
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tenantrank")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return "0+unknown"
