"""Tenants at risk: without an offer, down to the last ones, or hanging on an offer that ends, costs nobody knows what,
or has no second provider.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from tenantrank.report.numerals import counted
from tenantrank.report.outcomes import NONE_LEFT, Outcomes
from tenantrank.report.reach import Reach

FEW = 2
"""Survivors up to which a tenant is said to have few."""
EXAMPLES = 3


@dataclass(frozen=True)
class RiskGroup:
    """Tenants at one risk for the same reason.

    Attributes
    ----------
    tenants : how many; examples : the ids of the first of them
    why : what they have in common: what decides, the offer, or the provider
    state : what is said of that: survivors, the day on which an offer ends, its prices; empty where nothing is
    rules : the rules that apply to the first of them; empty where ``why`` names them
    """

    tenants: int
    examples: tuple[str, ...]
    why: str
    state: str
    rules: str


@dataclass(frozen=True)
class Risk:
    """One kind of risk: a key, how many tenants, its groups with most tenants first (``kept`` of ``groups``)."""

    key: str
    tenants: int
    kept: tuple[RiskGroup, ...]
    groups: int


def risks_of(outcomes: Outcomes, reach: Reach, most: int) -> tuple[tuple[Risk, ...], int]:
    """Find the tenants at risk.

    Returns
    -------
    the risks ``none_left``, ``few_left``, ending, unpriced, zero_listed and one_provider in this order, of each the
    ``most`` groups with most tenants; and how many tenants are at one risk or more. A tenant may be at several.
    """
    engine, winner = outcomes.engine, outcomes.winner
    catalog = engine.catalog
    ids = catalog.offer_ids
    providers, provider_names = catalog.strings("provider_id")
    prices = [engine.observed(name) for name in ("price_in", "price_out")]
    priced = np.isfinite(prices[0]) & np.isfinite(prices[1])
    ends = Ends(outcomes)
    ranked = winner >= 0
    nobody = np.zeros(len(outcomes), dtype=bool)

    def at_offer(condition: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return ranked & (condition[np.maximum(winner, 0)] if len(ids) else nobody)

    def offer(row: int) -> str:
        return ids[int(winner[row])]

    def listed(row: int) -> str:
        named = zip(("in", "out"), prices, strict=True)
        return ", ".join(f"{name} unknown" for name, price in named if not np.isfinite(price[winner[row]]))

    def survivors(row: int) -> str:
        return f"{outcomes.survivors[row]:,} of {len(ids):,} pass"

    by_winner = (winner,)
    found = [
        _risk(outcomes, "none_left", winner == NONE_LEFT, (outcomes.deciding,), most, _reason(outcomes)),
        _risk(
            outcomes,
            "few_left",
            ranked & (outcomes.survivors <= FEW),
            (outcomes.survivors, winner, outcomes.rules),
            most,
            offer,
            survivors,
            with_rules=True,
        ),
        _risk(outcomes, "ending", at_offer(ends.ending), by_winner, most, offer, lambda row: ends.words(winner[row])),
        _risk(outcomes, "unpriced", at_offer(~priced), by_winner, most, offer, listed),
        _risk(outcomes, "zero_listed", at_offer(catalog.flags("price_zero_listed") == 1), by_winner, most, offer),
        _risk(
            outcomes,
            "one_provider",
            ranked & reach.one_provider,
            (providers[np.maximum(winner, 0)] if len(ids) else winner,),
            most,
            lambda row: provider_names[providers[winner[row]]],
        ),
    ]
    risks, at_risk = tuple(risk for risk, _ in found), np.logical_or.reduce([members for _, members in found])
    return risks, int(at_risk.sum())


class Ends:
    """Which offers end: those called deprecated, and those for which a day is announced."""

    def __init__(self, outcomes: Outcomes) -> None:
        catalog = outcomes.engine.catalog
        self._days = catalog.table["deprecation_date"]
        self._today = catalog.judged_at
        self._deprecated = catalog.flags("deprecated") == 1
        self.ending: NDArray[np.bool_] = self._deprecated | ~self._days.is_null().to_numpy()

    def words(self, row: int) -> str:
        """Say how one of these offers ends."""
        day: date | None = self._days[int(row)].as_py()
        if day is None:
            return "deprecated, no day stated"
        if self._today is None:
            return f"ends {day}"
        left = (day - self._today).days
        return f"ended {day}" if left <= 0 else f"ends {day}, in {counted(left, 'day')}"


def _reason(outcomes: Outcomes) -> Callable[[int], str]:
    return lambda row: outcomes.reasons[outcomes.deciding[row]] or "the catalog has no offers"


def _risk(
    outcomes: Outcomes,
    key: str,
    members: NDArray[np.bool_],
    kinds: tuple[NDArray[np.int32], ...],
    most: int,
    why: Callable[[int], str],
    state: Callable[[int], str] = lambda _: "",
    with_rules: bool = False,
) -> tuple[Risk, NDArray[np.bool_]]:
    """Part the tenants at a risk into groups equal in every kind; the words are asked for by a row of the fleet."""
    rows = np.flatnonzero(members)
    if not len(rows):
        return Risk(key, 0, (), 0), members
    stacked = np.stack([codes[rows] for codes in kinds])
    _, first, inverse, counts = np.unique(stacked, axis=1, return_index=True, return_inverse=True, return_counts=True)
    group_of_row = inverse.reshape(-1)
    order = sorted(range(len(counts)), key=lambda group: (-counts[group], first[group]))
    kept = []
    for group in order[:most]:
        at = rows[np.flatnonzero(group_of_row == group)[:EXAMPLES]].tolist()
        row = at[0]
        rules = outcomes.rule_sets[outcomes.rules[row]] if with_rules else ""
        examples = tuple(outcomes.fleet.tenants[each] for each in at)
        kept.append(RiskGroup(int(counts[group]), examples, why(row), state(row), rules))
    return Risk(key, len(rows), tuple(kept), len(counts)), members
