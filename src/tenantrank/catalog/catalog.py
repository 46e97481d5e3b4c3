"""The catalog: an immutable snapshot of offers, and the arrays that an engine reads from it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tenantrank.catalog.derive import bool_values, code_values
from tenantrank.catalog.fields import Observations
from tenantrank.catalog.identity import content_id
from tenantrank.catalog.metadata import Metadata, declarations, marked_days, tiers_of
from tenantrank.catalog.provenance import canonical_provenance
from tenantrank.catalog.records import table_of_records
from tenantrank.catalog.schema import CAPABILITY_PREFIX, kind_of_type
from tenantrank.catalog.tables import canonical_table
from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown
from tenantrank.policy.arguments import check_type
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, Fields

if TYPE_CHECKING:
    from tenantrank.catalog.diff import CatalogDiff

Codes = npt.NDArray[np.int32]


def checked_day(day: Any, name: str = "as_of") -> date:
    """Give a date back.

    Raises
    ------
    CatalogError
        for anything else, a moment with a time of day included
    """
    if isinstance(day, datetime) or not isinstance(day, date):
        raise CatalogError(f"{name} is not a date: {shown(day)}")
    return day


class Catalog:
    """An immutable snapshot of offers as Arrow columns.

    Make one with `load`, `bundled`, `from_records` or `from_table`. The order of offers is part of the content: it
    decides ties. Arrays are made on first use, kept, and read-only.
    """

    def __init__(
        self,
        table: pa.Table,
        metadata: Metadata,
        as_of: date | None = None,
        provenance: pa.Table | Callable[[], pa.Table | None] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        """Hold a canonical table as it is; the class methods are the way in for anything else."""
        self._as_of = None if as_of is None else checked_day(as_of)
        metadata.check_day(self._as_of)
        self._table = metadata.mark(table)
        self._metadata = metadata
        self._provenance = provenance
        self._warnings = tuple(warnings)
        self._strings: dict[str, tuple[Codes, tuple[str, ...]]] = {}
        self._capabilities: dict[str, npt.NDArray[np.int8]] = {}
        self._no_capability = np.full(table.num_rows, -1, dtype=np.int8)
        self._no_capability.flags.writeable = False

    @classmethod
    def from_records(
        cls,
        offers: Iterable[Mapping[str, Any]],
        fields: Mapping[str, Any] | None = None,
        tier_order: Sequence[str] = DEFAULT_TIER_ORDER,
        as_of: date | None = None,
    ) -> Catalog:
        """Make a catalog from plain records, in their order.

        Records hold offers and nothing else. In particular they do not say between which days an overlay holds: a
        catalog that an overlay was laid over goes through `from_table` or a file, not through ``table.to_pylist()``.

        Parameters
        ----------
        offers
            one mapping an offer: ``id`` or ``offer_id``, ``provider_id``, ``model_family``, and any documented column
            (see `tenantrank.catalog.schema`); ``capabilities`` holds ``context`` and flags by name, ``offer`` holds
            ``peer_id``; any further number, bool, string or list of strings makes a column of its own
        fields
            declared fields: ``{name: {"sort": "Num" or "Bool", "default": …}}``; one that has no column is unknown
            everywhere
        tier_order
            tier names, lowest first
        as_of
            today, for facts that depend on a date

        Raises
        ------
        CatalogError
            naming column, row and offer, for NaN, −inf, a value of a wrong type, a missing key or a repeated
            ``offer_id``
        """
        metadata = Metadata(declarations(fields), tiers_of(tier_order))
        table = table_of_records(offers, metadata.declared)
        return cls(canonical_table(table, metadata.declared), metadata, as_of)

    @classmethod
    def from_table(
        cls,
        table: pa.Table,
        fields: Mapping[str, Any] | None = None,
        tier_order: Sequence[str] = DEFAULT_TIER_ORDER,
        as_of: date | None = None,
        *,
        built: date | None = None,
        sources: Mapping[str, Any] | None = None,
        provenance: pa.Table | None = None,
    ) -> Catalog:
        """Make a catalog from an Arrow table whose columns have their documented names.

        Parameters
        ----------
        table
            strings plain or dictionary-encoded, numbers of any width, any chunking; row order is catalog order
        fields, tier_order, as_of
            as for `from_records`
        built
            day on which the snapshot was made
        sources
            what each source name of ``provenance`` stands for (JSON values)
        provenance
            where values come from: columns ``offer_id``, ``column``, ``source``, ``as_of`` (strings)

        Raises
        ------
        CatalogError
            as for `from_records`, for provenance of an offer that is not in the table, and for the table of a catalog
            whose overlay does not hold on ``as_of``
        """
        for what, given, cls_ in (("the offers", table, pa.Table), ("provenance", provenance, pa.Table | None)):
            if not isinstance(given, cls_):
                raise CatalogError(f"{what} must be an Arrow table, not a {type(given).__name__}")
        if sources is not None and not isinstance(sources, Mapping):
            raise CatalogError(f"sources must be a mapping, not a {type(sources).__name__}")
        since, until = marked_days(table.schema.metadata)
        metadata = Metadata(
            declarations(fields),
            tiers_of(tier_order),
            None if built is None else checked_day(built, "built"),
            MappingProxyType(dict(sources or {})),
            until,
            since,
        )
        canonical = canonical_table(table, metadata.declared)
        stated = None if provenance is None else canonical_provenance(provenance, canonical["offer_id"])
        return cls(canonical, metadata, as_of, stated)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, as_of: date | None = None) -> Catalog:
        """Read a catalog file: Parquet, Arrow IPC, JSON or CSV, by its suffix.

        Raises
        ------
        CatalogError
            one line with the path, for a file that is missing, empty, cut short, damaged or of another form, and for a
            catalog whose overlay does not hold on ``as_of`` (the day is before it began to, or after it ended), or
            that has one which ends and no ``as_of`` is given
        """
        from tenantrank.catalog.files import read_catalog

        return read_catalog(path, as_of)

    @classmethod
    def bundled(cls, as_of: date | None = None) -> Catalog:
        """Read the snapshot that comes with the package: from the wheel, else from the repository's ``data`` folder.

        Raises
        ------
        CatalogError
            where neither is there
        """
        from tenantrank.catalog.files import bundled_catalog

        return bundled_catalog(as_of)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the catalog by its path's suffix: ``.parquet``, ``.arrow``/``.ipc``/``.feather``, ``.json``, ``.csv``.

        The file appears whole or not at all. Parquet and IPC keep everything but ``as_of`` and ``warnings``; JSON
        leaves provenance out; CSV holds the offers alone.

        Raises
        ------
        CatalogError
            for another suffix, where the file cannot be written, and for CSV where an overlay ends on some day, which
            CSV cannot say
        """
        from tenantrank.catalog.files import write_catalog

        write_catalog(self, path)

    def with_overlay(self, overlay: Mapping[str, Any] | str | os.PathLike[str], as_of: date | None = None) -> Catalog:
        """Give a catalog with an operator's attestations laid over this one.

        Parameters
        ----------
        overlay
            a mapping, or the path of a YAML or JSON file
        as_of
            today, by which ``verified_at`` and ``valid_until`` are judged; default: this catalog's ``as_of``

        Returns
        -------
        Catalog
            with an id of its own; what matched nothing and what is withheld is told in ``warnings``. It holds for days
            up to the first on which one of the overlay's dates is passed, and is refused for later ones

        Raises
        ------
        CatalogError
            one line with the place of the fault; also where a date has to be judged and ``as_of`` is not known, and
            where the overlay laid over this catalog before does not hold on that day
        """
        from tenantrank.catalog.overlay import apply_overlay

        return apply_overlay(self, overlay, as_of)

    def diff(self, other: Catalog) -> CatalogDiff:
        """Say what changes from this catalog to another one."""
        from tenantrank.catalog.diff import diff_catalogs

        return diff_catalogs(self, other)

    def __len__(self) -> int:
        return self._table.num_rows  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[type[Catalog], tuple[Any, ...]]:
        """Give what makes this catalog again, for pickles and copies: the table and what stands beside it."""
        return type(self), (self._table, self._metadata, self._as_of, self.provenance, self._warnings)

    def __repr__(self) -> str:
        return f"Catalog({len(self)} offers, {self.catalog_id[:12]})"

    @property
    def table(self) -> pa.Table:
        """The offers in catalog order: documented columns in their order, then the others by name."""
        return self._table

    @property
    def as_of(self) -> date | None:
        """The day that was passed in as today."""
        return self._as_of

    @property
    def built(self) -> date | None:
        """The day on which the snapshot was made, where that is known."""
        return self._metadata.built

    @property
    def judged_at(self) -> date | None:
        """The day by which ``deprecated`` and ``age_days`` are judged: ``as_of``, else ``built``."""
        return self._as_of or self._metadata.built

    @property
    def metadata(self) -> Metadata:
        """Declared fields, tier order, build date and sources."""
        return self._metadata

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an overlay asked for and did not get, one line each."""
        return self._warnings

    @cached_property
    def catalog_id(self) -> str:
        """sha256 of the content in 64 hex digits; see `tenantrank.catalog.identity` for what counts."""
        return content_id(self._table, self._metadata)

    @cached_property
    def offer_ids(self) -> tuple[str, ...]:
        """The offers' ids in catalog order."""
        return tuple(self._table["offer_id"].to_pylist())

    @cached_property
    def provenance(self) -> pa.Table | None:
        """Where values come from, by offer: ``offer_id``, ``column``, ``source``, ``as_of`` (strings)."""
        return self._provenance() if callable(self._provenance) else self._provenance

    @property
    def fields(self) -> Fields:
        """The vocabulary of policies: the language's own fields, every observable column, and the derived facts."""
        return self._observations.fields

    @cached_property
    def _observations(self) -> Observations:
        return Observations(self._table, self._metadata, self.judged_at)

    @property
    def expects_costs(self) -> bool:
        """Whether the field `expected_cost_usd` is worked out for each request, and the operator states none."""
        return self._observations.expects_costs

    def behind(self, field: str) -> tuple[str, ...]:
        """Give the columns that a derived field is worked out from; none for one that is a column itself."""
        return self._observations.behind(field)

    def numbers(self, field: str) -> npt.NDArray[np.float64]:
        """Give a Num field of every offer as float64: NaN where unknown, no default applied, never −0.0.

        Raises
        ------
        CatalogError
            for a name that is not a Num field of this catalog
        """
        check_type(field, str, "the name of a field", CatalogError)
        return self._observations.numbers(field)

    def flags(self, field: str) -> npt.NDArray[np.int8]:
        """Give a Bool field of every offer as int8: 1 true, 0 false, −1 unknown.

        Raises
        ------
        CatalogError
            for a name that is not a Bool field of this catalog
        """
        check_type(field, str, "the name of a field", CatalogError)
        return self._observations.flags(field)

    def capability(self, name: str) -> npt.NDArray[np.int8]:
        """Give a capability of every offer as int8: 1 has it, 0 has it not, −1 unknown; any name is allowed.

        ``context`` counts as a capability that every offer with a known, positive context window has.

        Raises
        ------
        CatalogError
            for what is no text
        """
        check_type(name, str, "the name of a capability", CatalogError)
        values = self._capabilities.get(name)
        if values is None:
            column = name if name.startswith("supports_") else CAPABILITY_PREFIX + name
            if name == "context":
                known = self.numbers(name)
                values = np.where(np.isnan(known), -1, known > 0).astype(np.int8)
            elif column in self._table.column_names and pa.types.is_boolean(self._table[column].type):
                values = bool_values(self._table[column])
            else:
                # Not kept by name: a policy may name any number of capabilities that no offer has.
                return self._no_capability
            values.flags.writeable = False
            self._capabilities[name] = values
        return values

    def strings(self, column: str) -> tuple[Codes, tuple[str, ...]]:
        """Give a string column as int32 codes and the names they stand for, in order of first appearance; −1 is null.

        Raises
        ------
        CatalogError
            for a name that is not a string column
        """
        check_type(column, str, "the name of a column", CatalogError)
        found = self._strings.get(column)
        if found is None:
            data = self._column(column, "string").combine_chunks()
            if not pa.types.is_dictionary(data.type):
                data = data.dictionary_encode()
            codes = code_values(data)
            codes.flags.writeable = False
            found = self._strings[column] = (codes, tuple(data.dictionary.to_pylist()))
        return found

    def lists(self, column: str) -> list[list[str] | None]:
        """Give a list column for people to read; ``None`` is null.

        Raises
        ------
        CatalogError
            for a name that is not a list column
        """
        check_type(column, str, "the name of a column", CatalogError)
        return self._column(column, "list").to_pylist()  # type: ignore[no-any-return]

    def _column(self, name: str, kind: str) -> pa.ChunkedArray:
        if name not in self._table.column_names or kind_of_type(self._table[name].type) != kind:
            raise CatalogError(f"{name!r} is not a {kind} column of this catalog")
        return self._table[name]
