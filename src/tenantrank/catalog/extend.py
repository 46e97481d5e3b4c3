"""A catalog with offers or flags added that stand in no catalog file: what only the program that serves it knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.records import table_of_records
from tenantrank.catalog.tables import canonical_table
from tenantrank.errors import CatalogError


def with_offers(catalog: Catalog, offers: Iterable[Mapping[str, Any]]) -> Catalog:
    """Give a catalog with further offers, given as records, after those there are.

    Records are as of `Catalog.from_records`. The provenance of the others stays; these have none.

    Raises
    ------
    CatalogError
        as `Catalog.from_records`, and for an ``offer_id`` that the catalog has already
    """
    declared = catalog.metadata.declared
    records = list(offers)
    if not records:
        return catalog
    further = canonical_table(table_of_records(records, declared), declared)
    table = pa.concat_tables([catalog.table, further], promote_options="default").unify_dictionaries().combine_chunks()
    return _of(catalog, table)


def with_flags(catalog: Catalog, flags: Mapping[str, npt.NDArray[Any]]) -> Catalog:
    """Give a catalog with Bool columns added, each an array of bools in catalog order; every one is a field.

    Raises
    ------
    CatalogError
        for a name that the catalog has a column or a field for
    """
    table = catalog.table
    for name, values in flags.items():
        if name in table.column_names or name in catalog.fields:
            raise CatalogError(f"the catalog has a field {name!r} of its own")
        table = table.append_column(name, pa.array(values, pa.bool_()))
    return _of(catalog, table)


def _of(catalog: Catalog, table: pa.Table) -> Catalog:
    canonical = canonical_table(table, catalog.metadata.declared)
    return Catalog(canonical, catalog.metadata, catalog.as_of, lambda: catalog.provenance, catalog.warnings)
