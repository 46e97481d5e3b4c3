"""Warnings: what a policy may not do as its author expects, told before it ships."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tenantrank.lint.finding import CODES, PAGE, Finding
from tenantrank.lint.linting import Linter, lint

if TYPE_CHECKING:
    from tenantrank.lint.fleet import FleetFinding, lint_fleet

__all__ = ["CODES", "PAGE", "Finding", "FleetFinding", "Linter", "lint", "lint_fleet"]


def __getattr__(name: str) -> Any:
    """Import what is of fleets when it is first asked for: who lints single policies needs no rulebooks."""
    if name not in ("FleetFinding", "lint_fleet"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.fleet"), name)
    return value
