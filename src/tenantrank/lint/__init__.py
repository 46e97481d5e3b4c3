"""Warnings: what a policy may not do as its author expects, told before it ships."""

from tenantrank.lint.finding import CODES, PAGE, Finding
from tenantrank.lint.fleet import FleetFinding, lint_fleet
from tenantrank.lint.linting import Linter, lint

__all__ = ["CODES", "PAGE", "Finding", "FleetFinding", "Linter", "lint", "lint_fleet"]
