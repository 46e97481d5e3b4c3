"""The figures of a fleet run, all counted from the engine's own answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine
from tenantrank.errors import RequestError, RulebookError
from tenantrank.policy.arguments import check_type
from tenantrank.report.counts import Group, Segments, by_rule, by_rule_set, by_segment, group_of
from tenantrank.report.outcomes import Outcomes, outcomes_of
from tenantrank.report.quality import quality_field
from tenantrank.report.reach import reach_of
from tenantrank.report.risks import Risk, risks_of
from tenantrank.tenants import Rulebook
from tenantrank.whatif.rule_price import DearestRules, dearest_rules

MOST = 12
"""Rows that a list of the page has at most; below it the page says how many more there are."""


@dataclass(frozen=True, eq=False)
class FleetFigures:
    """What a report says of a fleet.

    Attributes
    ----------
    outcomes : what each tenant gets; rulebook : bound to the engine's catalog; tokens : the mix that costs are for
    everybody : all tenants as one group; rules : a group for each rule that applies to somebody, in file order
    rule_sets : a group for each set of rules that apply together, most tenants first, ``rule_sets_in_all`` of them
    segments : groups for each value of the fields that have few
    quality : the field that quality is told by, ``None`` where no such field is known for any offer
    costs, qualities : (offers,) USD per 1M tokens of the mix, and quality; NaN where unknown
    usable : (offers,) whether the offer passes the filter of at least one tenant
    risks : the kinds of risk; at_risk : how many tenants are at one or more
    dearest : what rules cost, the dearest first
    """

    outcomes: Outcomes
    rulebook: Rulebook
    tokens: Tokens
    everybody: Group
    rules: tuple[Group, ...]
    rule_sets: tuple[Group, ...]
    rule_sets_in_all: int
    segments: tuple[Segments, ...]
    quality: str | None
    costs: NDArray[np.float64]
    qualities: NDArray[np.float64]
    usable: NDArray[np.bool_]
    risks: tuple[Risk, ...]
    at_risk: int
    dearest: DearestRules


def figures_of(
    engine: Engine, rulebook: Rulebook, tenants: pa.Table, tokens: Tokens = USUAL, quality: str | None = None
) -> FleetFigures:
    """Rank a table of tenants and count.

    Parameters
    ----------
    engine
        what ranks
    rulebook
        the operator's rules; bound to the engine's catalog first
    tenants
        one tenant a row, as for `Engine.rank_tenants`
    tokens
        what a call takes, by which costs are worked out; they are told per 1M tokens of this mix
    quality
        the Num field to tell quality by; ``None``: the ``bench_`` field by which most tenants are ranked, else the one
        known for most offers

    Raises
    ------
    RulebookError, TenantError
        as `Engine.rank_tenants`
    CatalogError
        for a quality that is not a Num field of the catalog
    RequestError
        for a mix of no tokens
    """
    check_type(rulebook, Rulebook, "a Rulebook", RulebookError)
    if not tokens.total:
        raise RequestError("tokens: a mix of no tokens has no cost")
    bound = rulebook.bind(engine.catalog.fields)
    fleet = bound.compile_many(tenants)
    outcomes = outcomes_of(engine, fleet)
    reach = reach_of(outcomes)
    field = quality_field(outcomes, quality)
    unknown = np.full(len(engine.catalog), np.nan)
    rule_sets, in_all = by_rule_set(outcomes, MOST)
    risks, at_risk = risks_of(outcomes, reach, MOST)
    return FleetFigures(
        outcomes,
        bound,
        tokens,
        group_of(outcomes, "every tenant"),
        by_rule(outcomes, bound.document),
        rule_sets,
        in_all,
        by_segment(outcomes, bound.document, tenants, MOST),
        field,
        engine.costs(tokens) * (1e6 / tokens.total),
        unknown if field is None else engine.catalog.numbers(field),
        reach.usable,
        risks,
        at_risk,
        dearest_rules(engine, bound, fleet, tokens),
    )
