"""Part ``all-tenants``: a thousand tenants at once, where databases and data frames are at their best."""

from __future__ import annotations

from tenantrank.bench.implementations import TOGETHER
from tenantrank.bench.parts.timing import time_implementations
from tenantrank.bench.results import Log
from tenantrank.bench.settings import Settings
from tenantrank.bench.workload import Workload

PART = "all-tenants"


def measure(settings: Settings, log: Log) -> None:
    """Time one query a shape with all its tenants in a table against a batch of the same policies."""
    for offers in settings.sizes:
        work = Workload.make("six shapes", offers, settings.pick(1000, 60), settings.seed)
        time_implementations(settings, log, PART, "six shapes", TOGETHER.values(), work, "µs per tenant")
