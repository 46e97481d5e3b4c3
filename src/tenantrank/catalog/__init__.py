"""The catalog of offers: loading, identity, observable fields, the operator's overlay, differences."""

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.diff import CatalogDiff

__all__ = ["Catalog", "CatalogDiff"]
