"""Limits on what a change may do, so that it can be refused before it ships."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from tenantrank.errors import RequestError
from tenantrank.policy.admission import shown
from tenantrank.whatif.impact import Impact

COUNTED = {
    "winner-changes": ("winner", "with another winner"),
    "order-changes": ("order", "with another order"),
    "stranded": ("stranded", "newly left with no offer"),
    "one-left": ("one_left", "newly left with one offer"),
    "refused": ("refused", "newly refused"),
    "cost-unknown": ("newly_unknown", "whose cost was known and no longer is"),
}
"""Limits on a number of tenants, by name: the number of `Counts` or `Cost` that each is about, and what it means."""
COST_INCREASE = "cost-increase"

_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(%?)")
_SLACK = 1e-9  # per cent; sums of prices are not exact to the last bit


@dataclass(frozen=True, slots=True)
class Limit:
    """The most of something that a change may do.

    Attributes
    ----------
    name : one of `COUNTED`, or `COST_INCREASE`
    most : a number of tenants, or with ``percent`` a percentage: of the tenants compared, or of the cost before
    """

    name: str
    most: Decimal
    percent: bool

    @classmethod
    def parse(cls, name: str, text: str) -> Limit:
        """Read a limit such as ``3`` or ``0.5%``; one on cost is a percentage.

        Raises
        ------
        RequestError
            for a name that is none, and a text that is neither
        """
        if name != COST_INCREASE and name not in COUNTED:
            raise RequestError(f"no limit {shown(name)}")
        found = _AMOUNT.fullmatch(text)
        wanted = (
            "a percentage, such as 5%" if name == COST_INCREASE else "a number of tenants, such as 3, or 0.5% of them"
        )
        if found is None or (name == COST_INCREASE and not found[2]) or (not found[2] and "." in found[1]):
            raise RequestError(f"expected {wanted}, got {shown(text)}")
        return cls(name, Decimal(found[1]), bool(found[2]))

    def check(self, impact: Impact) -> Check:
        """Hold a comparison against the limit; what equals it is within it.

        Where no tenant's cost is known on both sides there is no increase to hold against a limit, and it is kept.
        """
        allowed = f"{_plain(self.most)}{'%' if self.percent else ''}"
        if self.name == COST_INCREASE:
            percent = impact.cost.percent
            rise = 0.0 if percent is None else percent
            return Check(self, rise > float(self.most) + _SLACK, f"cost {percent_words(percent)}, {allowed} allowed")
        attribute, words = COUNTED[self.name]
        of_cost = self.name == "cost-unknown"
        found: int = getattr(impact.cost if of_cost else impact.counts, attribute)
        compared = impact.counts.compared
        if not self.percent:
            return Check(self, found > self.most, f"{tenants_words(found)} {words}, {allowed} allowed")
        share = f" ({found / compared:.2%} of {compared:,})" if compared else ""
        over = found * 100 > self.most * compared
        return Check(self, over, f"{tenants_words(found)}{share} {words}, {allowed} allowed")


@dataclass(frozen=True, slots=True)
class Check:
    """A limit held against a comparison: whether it is exceeded, and both in words."""

    limit: Limit
    exceeded: bool
    words: str


def tenants_words(count: int) -> str:
    """Say a number of tenants."""
    return f"{count:,} tenant{'' if count == 1 else 's'}"


def percent_words(percent: float | None) -> str:
    """Say how a cost changes: ``+5.00%``, ``from nothing``, ``unknown`` or ``unchanged``."""
    if percent is None:
        return "unknown"
    if percent == 0:
        return "unchanged"
    return "up from nothing" if percent == float("inf") else f"{percent:+.2f}%"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
