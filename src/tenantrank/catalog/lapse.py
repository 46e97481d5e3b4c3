"""What an attestation that is not in force leaves behind: an unknown value where unknown shuts out, else no offer.

An attestation is in force from ``verified_at`` through ``valid_until``. Outside these days it must open no door. Where
a policy reads an unknown value as the least there is (no promise, no capability, the highest price), unknown opens
none. Everywhere else (an unknown ``scope`` is open to every request, an unknown ``success_rate`` counts as 1, any other
flag may as well be a ban that unknown would lift as a merit) no value would be safe, and the offers are withheld.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, timedelta

from tenantrank.catalog.overlay_file import EVIDENCED, Attestation, OwnOffer, is_promise
from tenantrank.catalog.schema import CAPABILITY_PREFIX, Kind
from tenantrank.policy.signature import Fields

_MORE_IS_BETTER = frozenset({"context", "max_input", "max_output", "tok_s", "quality_hint"})
_LESS_IS_BETTER = frozenset(
    {"latency_ms", "retention_days", "residency_uplift_eu", "residency_uplift_us", "regional_endpoint_uplift"}
)


def lapse_of(entry: Attestation | OwnOffer, today: date | None) -> str | None:
    """Say why an entry is not in force on a day, or give ``None`` where it is."""
    if today is not None and entry.valid_until is not None and entry.valid_until < today:
        return f"expired after {entry.valid_until}"
    if today is not None and entry.verified_at is not None and entry.verified_at > today:
        return f"is not in force before {entry.verified_at}"
    return None


def holds_until(entries: Iterable[Attestation | OwnOffer], today: date | None) -> date | None:
    """Give the last day on which entries stand as they stand today, ``None`` where that never ends.

    The day after, one of them lapses, or one that is not in force yet comes to be.
    """
    days = []
    for entry in entries:
        if today is not None and entry.verified_at is not None and entry.verified_at > today:
            days.append(entry.verified_at - timedelta(days=1))
        elif today is not None and entry.valid_until is not None and entry.valid_until >= today:
            days.append(entry.valid_until)
    return min(days, default=None)


def holds_from(entries: Iterable[Attestation | OwnOffer], today: date | None) -> date | None:
    """Give the first day from which entries stand as they stand today, ``None`` where that was always so.

    The day before, one of them was not in force yet, or one that has lapsed still was.
    """
    days = []
    for entry in entries:
        if today is not None and entry.valid_until is not None and entry.valid_until < today:
            days.append(entry.valid_until + timedelta(days=1))
        elif today is not None and entry.verified_at is not None and entry.verified_at <= today:
            days.append(entry.verified_at)
    return max(days, default=None)


def less_is_better(name: str) -> bool:
    """Say whether the package knows of a column of numbers that the lower is the better."""
    return name in _LESS_IS_BETTER or name.startswith("price_")


def unknown_shuts_out(name: str, kind: Kind, fields: Fields) -> bool:
    """Say whether an unknown value of a column lets through no policy that asks for a good one.

    Parameters
    ----------
    name, kind
        the column
    fields
        the catalog's vocabulary: a declared default may turn the answer around

    Returns
    -------
    bool
        true for capabilities and bools that are promises, unless they default to true, for numbers that the package
        knows to be better the higher (the lower) they are and that default to at most 0 (to infinity), and for the
        promises that are no field of their own, unless a fact derived from promises defaults to true; false for all
        else, and so for any further flag, which a policy may ask for or ask to be absent
    """
    field = fields.get(name)
    if kind == "bool":
        merit = is_promise(name) or name.startswith(("supports_", CAPABILITY_PREFIX))
        return merit and (field is None or field.default is False)
    if field is not None and kind in ("int64", "double"):
        default = float(field.default)
        if less_is_better(name):
            return default == math.inf
        return name in _MORE_IS_BETTER and default <= 0.0
    return name in EVIDENCED and not any(is_promise(fact) and fields[fact].default is True for fact in fields)
