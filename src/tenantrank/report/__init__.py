"""One self-contained page on a fleet run: who gets what, what rules cost, and which tenants are at risk."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tenantrank.report.figures import FleetFigures, figures_of
    from tenantrank.report.fleet import fleet_report

__all__ = ["FleetFigures", "figures_of", "fleet_report"]

_MODULES = {"FleetFigures": "figures", "figures_of": "figures", "fleet_report": "fleet"}


def __getattr__(name: str) -> Any:
    """Import the report when it is first asked for: who only escapes text for a page needs none of it."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
