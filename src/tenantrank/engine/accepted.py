"""Accepted offers: what their scores add up from, who stands next, and what the selector made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.catalog import Catalog
from tenantrank.engine.columns import Doubles
from tenantrank.engine.score_parts import Rows, ScorePart, Scoring
from tenantrank.policy.describe import describe_selector
from tenantrank.policy.normal_form import Node

_NAMED = 10  # offers of equal score that are named


class Outcome(NamedTuple):
    """What ranking gave: offers best first with their scores, by which seed, and how many places were asked for."""

    offer_ids: Sequence[str]
    scores: Sequence[float]
    seed: int | None
    k: int | None


@dataclass(frozen=True, slots=True)
class Selection:
    """What the selector did with the offers that pass.

    Attributes
    ----------
    words : the selector in plain English
    by : ``score`` (highest first), ``catalog`` order, ``chance`` (drawn by the seed) or ``list`` (a chain)
    passed : how many offers pass the filter; kept : how many of them the selector keeps, whatever was asked for
    limit : the most that a `top_k` keeps, else ``None``
    seed : as given, where offers are drawn; ``None`` counts as 0
    """

    words: str
    by: str
    passed: int
    kept: int
    limit: int | None
    seed: int | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """One offer that passes, and what became of it.

    Attributes
    ----------
    offer_id : the offer
    place : in the decision, from 1; ``None`` where the selector, or how many were asked for, cut it
    why : what decided its place, in words
    score : as ranked; ``None`` for one that a chain does not list
    parts : what the score adds up from, in the order of the sum; none under a chain, which scores by its list
    by_score : its place by score alone, ties in catalog order; ``None`` under a chain
    next_id, margin : who stands next by score, and how much lower it scores; ``None`` where nobody does, and where
        scores do not decide the order; a margin that is no finite number is ``None`` too
    tied : how many other offers have the same score; ties : the first ten of them in catalog order
    """

    offer_id: str
    place: int | None
    why: str
    score: float | None
    parts: tuple[ScorePart, ...]
    by_score: int | None
    next_id: str | None
    margin: float | None
    tied: int
    ties: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value; a number that JSON lacks is null."""
        found = {name: getattr(self, name) for name in ("offer_id", "place", "why")}
        found["score"] = None if self.score is None or not math.isfinite(self.score) else self.score
        found["parts"] = [part.to_json() for part in self.parts]
        found |= {name: getattr(self, name) for name in ("by_score", "next_id", "margin", "tied")}
        return found | {"ties": list(self.ties)}


class Acceptance:
    """What a decision did with the offers that pass its filter.

    Parameters
    ----------
    outcome
        what was ranked
    selector
        in normal form
    scoring
        the scorer over the survivors
    survivors
        (survivors,) their catalog rows, ascending
    catalog
        the offers
    """

    def __init__(self, outcome: Outcome, selector: Node, scoring: Scoring, survivors: Rows, catalog: Catalog) -> None:
        self._outcome = outcome
        self._selector = selector
        self._scoring = scoring
        self._survivors = survivors
        self._catalog = catalog
        self._place_of = {name: place for place, name in enumerate(outcome.offer_ids, 1)}
        limits = []
        while selector.op == "top_k":
            limits.append(int(selector.parameters[0]))
            selector = selector.children[0]
        self._base = selector
        self._limit = min(limits, default=None)

    @cached_property
    def selection(self) -> Selection:
        """What the selector did."""
        passed = len(self._survivors)
        listed = int(np.count_nonzero(self._listed)) if self._base.op == "chain" else passed
        by = {"argmax": "score", "ordered": "catalog", "sample": "chance", "chain": "list"}[self._base.op]
        kept = listed if self._limit is None else min(listed, self._limit)
        seed = self._outcome.seed if by == "chance" else None
        return Selection(describe_selector(self._selector), by, passed, kept, self._limit, seed)

    @cached_property
    def scores(self) -> Doubles:
        """The score of each survivor as it is ranked, (survivors,): under a chain minus the place in its list, NaN for
        one that it does not list.
        """
        if self._base.op == "chain":
            return np.where(self._listed > 0, -self._listed.astype(np.float64), math.nan)
        return self._scoring.values()

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Which survivors have a score, (survivors,): all but those that a chain does not list."""
        return self._listed > 0 if self._base.op == "chain" else np.ones(len(self._survivors), dtype=bool)

    def of(self, row: int) -> Accepted:
        """Say of a survivor, by its catalog row, what became of it."""
        at = int(np.searchsorted(self._survivors, row))
        name = self._catalog.offer_ids[row]
        place, score = self._place_of.get(name), float(self.scores[at])
        chained = self._base.op == "chain"
        same = np.flatnonzero((self.scores == score) | (np.isnan(self.scores) & math.isnan(score)))
        others = same[same != at] if not chained or self._listed[at] else same[:0]
        rank = None if chained else int(self._rank[at])
        following, margin = self._next(rank, score)
        ties = tuple(self._catalog.offer_ids[self._survivors[other]] for other in others[:_NAMED].tolist())
        return Accepted(
            name,
            place,
            self._why(place, rank, len(others), int(self._listed[at]) if chained else 0),
            None if chained and not self._listed[at] else score,
            () if chained else self._scoring.parts_of(row),
            None if rank is None else rank + 1,
            following,
            margin,
            len(others),
            ties,
        )

    def _next(self, rank: int | None, score: float) -> tuple[str | None, float | None]:
        if self._base.op != "argmax" or rank is None or rank + 1 >= len(self._survivors):
            return None, None
        at = int(self._order[rank + 1])
        other = float(self.scores[at])
        margin = 0.0 if score == other else score - other
        name = self._catalog.offer_ids[self._survivors[at]]
        return name, margin if math.isfinite(margin) else None

    def _why(self, place: int | None, rank: int | None, tied: int, listed: int) -> str:
        by = self.selection.by
        if by == "list":
            if not listed:
                return "the policy's list does not name it"
            said = f"number {listed} of the policy's list"
        elif by == "catalog":
            said = "catalog order decides, whatever the score"
        else:
            said = f"place {0 if rank is None else rank + 1} of {len(self._survivors)} by score"
            if by == "chance":
                said = f"drawn by seed {self._outcome.seed or 0}, from {said}"
        if tied and by in ("list", "score"):
            others = f"{tied} other{'' if tied == 1 else 's'}"
            same = "has" if tied == 1 else "have"
            said += f"; {others} {same} the same {'number' if by == 'list' else 'score'}, and catalog order decides"
        return said if place is not None else f"{said}; cut: {self._cut()}"

    def _cut(self) -> str:
        if self._limit is not None and len(self._outcome.offer_ids) == self._limit:
            return f"the policy keeps {self._limit}"
        return f"k is {self._outcome.k}"

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """The survivors' places, best score first, ties in catalog order, NaN last."""
        return np.argsort(-self.scores, kind="stable")

    @cached_property
    def _rank(self) -> NDArray[np.intp]:
        ranks = np.empty(len(self._order), dtype=np.intp)
        ranks[self._order] = np.arange(len(self._order))
        return ranks

    @cached_property
    def _listed(self) -> NDArray[np.int64]:
        """The number of each survivor in a chain's list, from 1; 0 for one that it does not list."""
        number_of: dict[tuple[str, str], int] = {}
        for number, pair in enumerate(self._base.parameters[0], 1):
            provider = pair["provider"] if "provider" in pair else pair["provider_id"]
            number_of[provider, pair["model"] if "model" in pair else pair["model_family"]] = number
        (providers, provider_names), (families, family_names) = map(
            self._catalog.strings, ("provider_id", "model_family")
        )
        rows = self._survivors
        pairs = zip(providers[rows].tolist(), families[rows].tolist(), strict=True)
        named = [number_of.get((provider_names[one], family_names[other]), 0) for one, other in pairs]
        return np.array(named, dtype=np.int64)
