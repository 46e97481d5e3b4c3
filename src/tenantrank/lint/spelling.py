"""The names that offers have, and the one that somebody who wrote another probably meant."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.catalog.schema import CAPABILITY_PREFIX
from tenantrank.tenants.nearest import nearest

KINDS = {"provider_eq": "provider", "served_by_eq": "server", "family_eq": "model family", "has_cap": "capability"}
"""What each op names that takes any name."""
_COLUMNS = {"provider_eq": ("provider_id",), "family_eq": ("model_family",), "served_by_eq": ("peer_id", "provider_id")}
_SUPPORTS = "supports_"


class Spelling:
    """The names of one catalog by the op that names them.

    Parameters
    ----------
    catalog
        the catalog
    within
        (offers,), whose names may be told to somebody who does not know them
    """

    def __init__(self, catalog: Catalog, within: NDArray[np.bool_]) -> None:
        self._catalog = catalog
        self._within = within
        self._nearest: dict[tuple[str, str], str | None] = {}

    def occurs(self, op: str, name: str) -> bool:
        """Say whether some offer has the name; a capability also where it is stated that an offer lacks it."""
        if op == "has_cap":
            return bool((self._catalog.capability(name) >= 0).any())
        return any(name in self._all[column] for column in _COLUMNS[op])

    def nearest(self, op: str, name: str) -> str | None:
        """Give the nearest name that occurs, ``None`` where none is near."""
        if (op, name) not in self._nearest:
            if op == "has_cap":
                meant = f"{_SUPPORTS}{name}"
                found = meant if meant in self._capabilities else nearest(name, self._capabilities)
            else:
                found = nearest(name, {known for column in _COLUMNS[op] for known in self._told[column]})
            self._nearest[op, name] = found
        return self._nearest[op, name]

    @cached_property
    def _all(self) -> dict[str, frozenset[str]]:
        return {
            column: frozenset(self._catalog.strings(column)[1]) for columns in _COLUMNS.values() for column in columns
        }

    @cached_property
    def _told(self) -> dict[str, list[str]]:
        found = {}
        for column in self._all:
            codes, names = self._catalog.strings(column)
            found[column] = [names[code] for code in np.unique(codes[self._within]).tolist() if code >= 0]
        return found

    @cached_property
    def _capabilities(self) -> frozenset[str]:
        table = self._catalog.table
        named = {
            name.removeprefix(CAPABILITY_PREFIX)
            for name in table.column_names
            if name.startswith((_SUPPORTS, CAPABILITY_PREFIX)) and pa.types.is_boolean(table.schema.field(name).type)
        }
        return frozenset(name for name in {*named, "context"} if self.occurs("has_cap", name))
