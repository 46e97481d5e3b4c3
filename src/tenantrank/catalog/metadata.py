"""What a catalog states beside its offers: tier order, declared fields, build date, sources."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, Field, Fields

FORMAT = "tenantrank-catalog/1"
_MARK = "tenantrank."
_DECLARATION_KEYS = frozenset({"sort", "default", "unit", "description", "source"})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What holds for the catalog as a whole.

    Attributes
    ----------
    declared : fields that the operator declares, by name
    tier_order : tier names, lowest first
    built : day on which the snapshot was made
    sources : what each source name of the provenance table stands for; any JSON values
    holds_until : the last day on which the overlay laid over the catalog stands as it did; ``None`` is for ever
    holds_from : the first such day; ``None`` is any day
    """

    declared: Mapping[str, Field] = field(default_factory=dict)
    tier_order: tuple[str, ...] = DEFAULT_TIER_ORDER
    built: date | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)
    holds_until: date | None = None
    holds_from: date | None = None

    def __reduce__(self) -> tuple[Callable[..., Metadata], tuple[Any, ...]]:
        """Leave out the read-only views, which cannot be pickled."""
        rest = (self.tier_order, self.built, dict(self.sources), self.holds_until, self.holds_from)
        return _metadata, (dict(self.declared), *rest)

    def to_json(self) -> dict[str, Any]:
        """Give the metadata as JSON values; an infinite default is the string ``inf``."""
        return {
            "tier_order": list(self.tier_order),
            "fields": {name: _declaration(declared) for name, declared in self.declared.items()},
            "built": None if self.built is None else self.built.isoformat(),
            "sources": dict(self.sources),
            **_days(self),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Metadata:
        """Read what `to_json` wrote; absent keys have their defaults.

        Raises
        ------
        CatalogError
            for a value of another shape
        """
        fields, sources = values.get("fields"), values.get("sources")
        for key, value in (("fields", fields), ("sources", sources)):
            if value is not None and not isinstance(value, Mapping):
                raise CatalogError(f"{key} is not a mapping: {shown(value)}")
        built, until, since = (_day(key, values.get(key)) for key in ("built", "holds_until", "holds_from"))
        tiers = values.get("tier_order", DEFAULT_TIER_ORDER)
        return cls(declarations(fields), tiers_of(tiers), built, MappingProxyType(dict(sources or {})), until, since)

    def check_day(self, as_of: date | None) -> None:
        """Refuse a day of judging on which the overlay laid over the catalog no longer stands as it was laid.

        Raises
        ------
        CatalogError
            for a day after ``holds_until``, or none where that is set, and for a day before ``holds_from``; today only
            ever comes after the day on which an overlay was laid, so none is no day before
        """
        if self.holds_until is not None and (as_of is None or as_of > self.holds_until):
            day = "as_of is needed" if as_of is None else f"it is not for {as_of}"
            raise CatalogError(
                f"the overlay applied to this catalog holds until {self.holds_until} and {day}: "
                "give a day up to then, or lay the overlay over the catalog without it again"
            )
        if self.holds_from is not None and as_of is not None and as_of < self.holds_from:
            raise CatalogError(
                f"the overlay applied to this catalog holds from {self.holds_from} and it is not for {as_of}: "
                "give a day from then on, or lay the overlay over the catalog without it again"
            )

    def mark(self, table: pa.Table) -> pa.Table:
        """Write the days between which the overlay holds into a table's schema, to go wherever the bare table goes."""
        days = {(_MARK + name).encode(): day.encode() for name, day in _days(self).items()}
        return table.replace_schema_metadata(days) if days else table


def _days(metadata: Metadata) -> dict[str, str]:
    days = {"holds_until": metadata.holds_until, "holds_from": metadata.holds_from}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def _metadata(declared: Any, tier_order: Any, built: Any, sources: Any, *days: Any) -> Metadata:
    return Metadata(MappingProxyType(declared), tier_order, built, MappingProxyType(sources), *days)


def marked_days(schema: Mapping[bytes, bytes] | None) -> tuple[date | None, date | None]:
    """Read what `Metadata.mark` wrote into a table's schema: ``holds_from`` and ``holds_until``.

    Raises
    ------
    CatalogError
        for a mark that is no date
    """
    marks = {name: (schema or {}).get((_MARK + name).encode()) for name in ("holds_from", "holds_until")}
    since, until = (
        None if mark is None else _day(name, mark.decode("utf-8", "replace")) for name, mark in marks.items()
    )
    return since, until


def _day(key: str, value: Any) -> date | None:
    try:
        if value is None or isinstance(value, str):
            return None if value is None else date.fromisoformat(value)
    except ValueError:
        pass
    raise CatalogError(f"{key} is not a date as YYYY-MM-DD: {shown(value)}")


def tiers_of(tier_order: Any) -> tuple[str, ...]:
    """Check an order of tiers: distinct strings, lowest first.

    Raises
    ------
    CatalogError
        for anything else
    """
    if (
        not isinstance(tier_order, Sequence)
        or isinstance(tier_order, str)
        or not all(isinstance(tier, str) for tier in tier_order)
    ):
        raise CatalogError(f"tier_order is not a list of strings: {shown(tier_order)}")
    for tier in tier_order:
        _check_text("tier", tier)
    return Fields(None, tier_order).tier_order


def declarations(fields: Mapping[str, Any] | None) -> Mapping[str, Field]:
    """Read field declarations.

    Parameters
    ----------
    fields
        by name, a `Field` or a mapping with ``sort`` ("Num" or "Bool"), ``default``, and optionally ``unit``,
        ``description`` and ``source``; a `Fields` counts as no more than what it adds to the language's own

    Raises
    ------
    CatalogError
        for a declaration without a usable sort or default, or one that changes the sort of a built-in field
    """
    if fields is not None and not isinstance(fields, Mapping):
        raise CatalogError(f"field declarations are a mapping from name to declaration, not a {type(fields).__name__}")
    plain = Fields()
    declared: dict[str, Field] = {}
    for name, given in (fields or {}).items():
        if isinstance(fields, Fields) and plain.get(name) == given:
            continue
        if isinstance(given, Field):
            Fields({name: given})
            _check_text("field", name)
            declared[name] = given
            continue
        extra = set(given) - _DECLARATION_KEYS if isinstance(given, Mapping) else set()
        if extra:
            raise CatalogError(f"field {name!r}: unknown key {sorted(map(str, extra))[0]!r} in its declaration")
        if isinstance(given, Mapping) and given.get("default") == "inf":
            given = {**given, "default": math.inf}
        read = Fields({name: given})[name]
        _check_text("field", name)
        texts = {key: given[key] for key in ("unit", "description", "source") if key in given}
        if not all(isinstance(text, str) for text in texts.values()):
            raise CatalogError(f"field {name!r}: unit, description and source are strings")
        declared[name] = Field(name, read.sort, _default(name, given, read), **texts)
    for name, field_ in declared.items():
        known = plain.get(name)
        if known is not None and known.sort != field_.sort:
            raise CatalogError(f"field {name!r} is built in as {known.sort} and cannot be declared as {field_.sort}")
    return MappingProxyType(declared)


def canonical_declarations(metadata: Metadata) -> bytes:
    """Give the bytes by which field declarations and tier order enter the catalog's id.

    JSON with sorted keys, no spaces and ASCII escapes: ``{"fields": {name: [sort, default]}, "tier_order": […]}``, the
    default of a Num as the 16 hex digits of its IEEE double, high byte first; and ``"holds_until": "YYYY-MM-DD"`` and
    ``"holds_from"``, where these are set.
    """
    fields = {}
    for name, declared in metadata.declared.items():
        default = declared.default
        fields[name] = [declared.sort, default if declared.sort == "Bool" else _hex(float(default))]
    content: dict[str, Any] = {"fields": fields, "tier_order": list(metadata.tier_order), **_days(metadata)}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _check_text(what: str, name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise CatalogError(f"{what} name {name!r} is not text that UTF-8 can hold") from None


def _hex(number: float) -> str:
    return struct.pack(">d", number + 0.0).hex()


def _default(name: str, given: Mapping[str, Any], read: Field) -> float | bool:
    default = given.get("default", read.default)
    return bool(default) if read.sort == "Bool" else float(default) + 0.0


def _declaration(declared: Field) -> dict[str, Any]:
    default = "inf" if declared.default == math.inf else declared.default
    values = {"sort": declared.sort, "default": default}
    texts = {"unit": declared.unit, "description": declared.description, "source": declared.source}
    return values | {key: text for key, text in texts.items() if text}
