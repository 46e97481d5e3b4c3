"""A fleet run as one page."""

from __future__ import annotations

import pyarrow as pa

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine
from tenantrank.report.figures import figures_of
from tenantrank.report.page import page
from tenantrank.tenants import Rulebook


def fleet_report(
    engine: Engine, rulebook: Rulebook, tenants: pa.Table, tokens: Tokens = USUAL, quality: str | None = None
) -> str:
    """Give a fleet run as one HTML page that needs no network, no script and no other file.

    The same inputs give the same bytes; the day is the catalog's. Arguments and errors as of `figures_of`. A page stays
    below 2 MB whatever the size of the fleet: lists are cut, and say how many more there are.
    """
    return page(figures_of(engine, rulebook, tenants, tokens, quality))
