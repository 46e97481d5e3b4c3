"""Tenants to policies: the operator's rulebook, and the compiler that keeps the reason for every clause.

A `Rulebook` says which tenant fields there are and what each rule adds for the tenants that its condition names.
`Rulebook.compile` turns one tenant's state into a `CompiledPolicy`, whose every clause carries its `Origin`;
`Rulebook.compile_many` does so for a table, compiling each distinct state once, into a `Fleet`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tenantrank.tenants.origin import Conflict, Origin

if TYPE_CHECKING:
    from tenantrank.tenants.compiling import CompiledPolicy
    from tenantrank.tenants.fleet import Fleet, RowError
    from tenantrank.tenants.rulebook import Rulebook
    from tenantrank.tenants.tables import read_tenants

__all__ = ["CompiledPolicy", "Conflict", "Fleet", "Origin", "RowError", "Rulebook", "read_tenants"]

_MODULES = {
    "CompiledPolicy": "compiling",
    "Fleet": "fleet",
    "RowError": "fleet",
    "Rulebook": "rulebook",
    "read_tenants": "tables",
}


def __getattr__(name: str) -> Any:
    """Import what rulebooks are made of when it is first asked for: who ranks single policies needs none of it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
