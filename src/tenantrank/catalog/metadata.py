"""What a catalog states beside its offers: tier order, declared fields, build date, sources."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from tenantrank.errors import CatalogError
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, Field, Fields

FORMAT = "tenantrank-catalog/1"
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
    """

    declared: Mapping[str, Field] = field(default_factory=dict)
    tier_order: tuple[str, ...] = DEFAULT_TIER_ORDER
    built: date | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Give the metadata as JSON values; an infinite default is the string ``inf``."""
        return {
            "tier_order": list(self.tier_order),
            "fields": {name: _declaration(declared) for name, declared in self.declared.items()},
            "built": None if self.built is None else self.built.isoformat(),
            "sources": dict(self.sources),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Metadata:
        """Read what `to_json` wrote; absent keys have their defaults.

        Raises
        ------
        CatalogError
            for a value of another shape
        """
        fields, built, sources = values.get("fields"), values.get("built"), values.get("sources")
        for key, value in (("fields", fields), ("sources", sources)):
            if value is not None and not isinstance(value, Mapping):
                raise CatalogError(f"{key} is not a mapping: {value!r}")
        if isinstance(built, str):
            try:
                built = date.fromisoformat(built)
            except ValueError:
                raise CatalogError(f"built is not a date as YYYY-MM-DD: {built!r}") from None
        elif built is not None:
            raise CatalogError(f"built is not a date as YYYY-MM-DD: {built!r}")
        tiers = values.get("tier_order", DEFAULT_TIER_ORDER)
        return cls(declarations(fields), tiers_of(tiers), built, MappingProxyType(dict(sources or {})))


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
        raise CatalogError(f"tier_order is not a list of strings: {tier_order!r}")
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
    plain = Fields()
    declared: dict[str, Field] = {}
    for name, given in (fields or {}).items():
        if isinstance(fields, Fields) and plain.get(name) == given:
            continue
        if isinstance(given, Field):
            declared[name] = given
            continue
        extra = set(given) - _DECLARATION_KEYS if isinstance(given, Mapping) else set()
        if extra:
            raise CatalogError(f"field {name!r}: unknown key {sorted(map(str, extra))[0]!r} in its declaration")
        if isinstance(given, Mapping) and given.get("default") == "inf":
            given = {**given, "default": math.inf}
        read = Fields({name: given})[name]
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
    default of a Num as the 16 hex digits of its IEEE double, high byte first.
    """
    fields = {}
    for name, declared in metadata.declared.items():
        default = declared.default
        fields[name] = [declared.sort, default if declared.sort == "Bool" else _hex(float(default))]
    content = {"fields": fields, "tier_order": list(metadata.tier_order)}
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


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
