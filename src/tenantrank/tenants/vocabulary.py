"""The offer fields and tiers that a rulebook's terms use, with or without a catalog to check them against."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tenantrank.policy.signature import DEFAULT_TIER_ORDER, OPS, V2, Fields, is_subterm
from tenantrank.tenants.nearest import hint

_SORTS = {"NumField": "Num", "BoolField": "Bool", "Tier": "Tier"}


class Use(NamedTuple):
    """One use of a name: ``sort`` is ``Num`` or ``Bool`` for an offer field, ``Tier`` for a tier."""

    name: str
    sort: str


def uses(term: Any) -> Iterator[Use]:
    """Give the names that a term of the language uses, in reading order; what is not a term is passed over."""
    op = OPS[V2].get(term[0]) if isinstance(term, list) and term and isinstance(term[0], str) else None
    if op is None:
        return
    arguments = term[1:]
    for slot, argument in zip(op.slots * len(arguments) if op.variadic else op.slots, arguments, strict=False):
        if is_subterm(slot):
            yield from uses(argument)
        elif slot in _SORTS and isinstance(argument, str):
            yield Use(argument, _SORTS[slot])


def inferred(used: Iterable[Use]) -> Fields:
    """Give the smallest vocabulary with these names: built-in fields keep their sort, others have that of first use."""
    known = Fields()
    extension: dict[str, dict[str, Any]] = {}
    tiers = list(DEFAULT_TIER_ORDER)
    for name, sort in used:
        if sort == "Tier":
            tiers += [name] if name not in tiers else []
        elif known.sort_of(name, V2) is None:
            extension.setdefault(name, {"sort": sort, "default": False if sort == "Bool" else 0.0})
    return Fields(extension, tiers)


def fault(use: Use, fields: Fields) -> str | None:
    """Say what is wrong with a use, or ``None``."""
    if use.sort == "Tier":
        if use.name in fields.tier_order:
            return None
        known = ", ".join(fields.tier_order)
        return f"unknown tier {use.name!r}{hint(use.name, fields.tier_order) or f', expected one of {known}'}"
    found = fields.sort_of(use.name, V2)
    if found is None:
        return f"the catalog has no field {use.name!r}{hint(use.name, fields)}"
    if found != use.sort:
        return f"field {use.name!r} is a {found} field, and it is used as a {use.sort} field"
    return None
