"""Small workloads and runs that several tests use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

import tenantrank as tr
from tenantrank.bench.offers import synthetic_table
from tenantrank.bench.results import Omission, Row, Run
from tenantrank.bench.workload import Workload
from tenantrank.policy.builder import blend, cheapest, f, has, highest, is_, policy, provider

ABOUT: dict[str, Any] = {
    "date": "2026-01-02T03:04:05+00:00",
    "command": "tenantrank bench",
    "quick": False,
    "parts": ["rank"],
    "machine": {"cpu": "A CPU", "cores": 8, "cores_usable": 2, "load_average": 0.5},
    "versions": {"python": "3.12.0", "numpy": "2.1.0"},
    "commit": "0123456789abcdef",
    "changed": True,
}


def tied_catalog(models: int = 24, copies: int = 4) -> tr.Catalog:
    """Every offer several times, under ids of their own: each score ties with that of its copies."""
    table = pa.concat_tables([synthetic_table(models, 5)] * copies)
    ids = [f"{row:03d}|{name}" for row, name in enumerate(table["offer_id"].to_pylist())]
    return tr.Catalog.from_table(table.set_column(0, "offer_id", pa.array(ids)))


def own_work(catalog: tr.Catalog) -> Workload:
    """Policies of forms that the six shapes lack: nested conditions, one survivor, none, equal values throughout."""
    low, least = f.price_out <= 3.0, float(np.nanmin(catalog.numbers("price_out")))
    nested = (low & ~(is_("region_eu") | (has("supports_tools") & ~is_("no_log")))) | (f.price_in <= 0.5)
    conditions = [
        nested & (f.price_out <= 90),
        ~nested & (f.price_out <= 90) & (f.price_in <= 90),
        (f.price_out <= 90) & (f.price_in <= 90) & provider.is_in("provider-01"),
        (f.price_out <= 90) & ~(low & (f.price_in >= 0.2)),
        f.price_out <= -1.0,
        (f.price_out <= least) & (f.price_in <= 90),
        ((is_("region_eu") & low) | (is_("region_us") & low & ~provider.is_in("provider-00", "provider-02"))) & low,
        provider.not_in("provider-00", "nobody") & (f.price_out <= 90),
    ]
    scores = [
        cheapest("price_out"),
        highest("bench_coding"),
        blend({"price_out": -0.7, "bench_math": 0.25, "tok_s": 0.5}),
    ]
    terms = [policy(condition, score) for condition in conditions for score in scores]
    return Workload("own", 0, catalog, tuple(tr.admit(term, catalog.fields) for term in terms))


def row(
    name: str, least: float, role: Any = "peer", part: str = "rank", case: str = "six shapes", offers: int | None = 512
) -> Row:
    """A row of a made-up run."""
    return Row(
        part, case, name, role, "µs per policy", {"min": least, "median": 2 * least}, offers, 10, 10, 3, "a note"
    )


def run(rows: Sequence[Row], **about: Any) -> Run:
    """A made-up run with a failure and an omission."""
    failures = [Omission("rank", "Wrong | one", "3 of 10 policies differ")]
    return Run({**ABOUT, **about}, rows, failures, [Omission("rank", "DuckDB", "duckdb is not installed")])
