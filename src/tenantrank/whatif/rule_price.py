"""The price of a rule over a whole fleet: whose choice it changes, and what that costs them together.

For each rule that applies to a tenant, the tenant's policy is compiled again without it and ranked beside the policy
that the tenant has. Tenants with one policy are ranked once, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine
from tenantrank.errors import RulebookError, TenantError
from tenantrank.policy.arguments import check_type
from tenantrank.policy.policy import Policy
from tenantrank.tenants import Fleet, Rulebook
from tenantrank.tenants.collecting import collection_paused
from tenantrank.whatif.winner import per_million

_ADDS = ("require", "floor", "ceiling", "transform", "preference", "selector", "failure_plan")
_NONE = -1  # in place of a catalog row: nothing is ranked; in place of a policy: there is none

SCHEMA = pa.schema(
    [
        ("rule", pa.string()),
        ("description", pa.string()),
        ("adds", pa.list_(pa.string())),
        ("ranks", pa.bool_()),
        *((name, pa.int64()) for name in ("tenants", "unchanged", "changed", "dearer", "cheaper", "level", "unknown")),
        *((name, pa.int64()) for name in ("gained", "lost", "refused", "stranded")),
        ("total", pa.float64()),
        ("mean", pa.float64()),
        ("mean_per_million", pa.float64()),
    ]
)
"""A row a rule, with the attributes of `FleetRule`; ``mean`` and ``mean_per_million`` are null where unknown."""


@dataclass(frozen=True, slots=True)
class FleetRule:
    """What one rule costs the tenants to whom it applies.

    Every tenant counts once, and is one of ``unchanged``, ``changed`` and ``refused``; one that is ``changed`` is
    besides one of ``dearer``, ``cheaper``, ``level``, ``unknown``, ``gained`` and ``lost``.

    Attributes
    ----------
    rule, description : as the rulebook says
    adds : what it adds, of ``require``, ``floor``, ``ceiling``, ``transform``, ``preference``, ``selector`` and
        ``failure_plan``
    tenants : how many tenants with a policy it applies to
    unchanged : without it the same offer wins, or nothing either way
    changed : without it another offer wins, or something where nothing does now, or the other way about
    dearer, cheaper, level : with it another offer wins that costs more, less or the same
    unknown : with it another offer wins, and what it or the other costs is unknown
    gained : nothing wins with it, and something without it: what it costs is undefined
    lost : something wins with it, and nothing without it
    refused : without it there is no policy, as where no other rule says what the tenant may use
    stranded : nothing wins with it, whether or not something does without it
    total : USD, what winners cost with it minus what they cost without, summed over a call of each tenant; over the
        tenants of ``unchanged`` that have a winner, ``dearer``, ``cheaper`` and ``level``
    mean : the same by tenant, over those; ``None`` where there are none
    mean_per_million : the same in USD per 1M tokens of the mix; ``None`` too where the mix is of no tokens
    """

    rule: str
    description: str
    adds: tuple[str, ...]
    tenants: int
    unchanged: int
    changed: int
    dearer: int
    cheaper: int
    level: int
    unknown: int
    gained: int
    lost: int
    refused: int
    stranded: int
    total: float
    mean: float | None
    mean_per_million: float | None

    @property
    def ranks(self) -> bool:
        """Whether it adds a preference or a selector: some of what it costs may be meant, as where premium pays for the
        best answer.
        """
        return "preference" in self.adds or "selector" in self.adds


@dataclass(frozen=True, slots=True)
class DearestRules:
    """The dearest rules of a fleet.

    Attributes
    ----------
    rules : dearest first: by ``total``, greatest first, ties in file order
    tokens : the mix that costs are for
    tenants : how many tenants have a policy; refused : how many have none, and count nowhere else
    stranded : how many have a policy and no offer; unknown : how many have an offer of unknown cost
    total : USD, what the winners of all others cost together, a call each
    provenance : what it was worked out from: `Engine.provenance` and ``rulebook_id``
    """

    rules: tuple[FleetRule, ...]
    tokens: Tokens
    tenants: int
    refused: int
    stranded: int
    unknown: int
    total: float
    provenance: Mapping[str, str]

    def table(self) -> pa.Table:
        """Give the rules as an Arrow table of `SCHEMA`; its metadata are provenance and mix."""
        rows = [{name: getattr(rule, name) for name in SCHEMA.names} for rule in self.rules]
        mix = {
            "input_tokens": f"{self.tokens.input:.17g}",
            "output_tokens": f"{self.tokens.output:.17g}",
            "cached_share": f"{self.tokens.cached_share:.17g}",
        }
        if self.tokens.residency is not None:
            mix["residency"] = self.tokens.residency
        return pa.Table.from_pylist(rows, schema=SCHEMA).replace_schema_metadata({**self.provenance, **mix})


def dearest_rules(
    engine: Engine,
    rulebook: Rulebook,
    tenants: pa.Table | Fleet,
    tokens: Tokens = USUAL,
    top: int | None = 10,
    on_progress: Callable[[int], None] | None = None,
) -> DearestRules:
    """Find the rules that cost the tenants of a table most.

    What one rule costs is worked out with all other rules in place; what two cost together may be more or less than
    their sum. As in `Engine.rank_tenants` no request is involved, and `sample` draws by the seed 0.

    Parameters
    ----------
    engine
        whose catalog, health and envelope the tenants are ranked under
    rulebook
        the operator's rules
    tenants
        a row each, with the columns that the rulebook declares; or what the rulebook, bound to the engine's catalog,
        compiled of them
    tokens
        the mix that costs are for
    top
        how many rules are wanted; ``None`` for all
    on_progress
        called with how many further policies are ranked, now and then

    Raises
    ------
    RulebookError
        where the rulebook names a field or tier that this catalog does not have, and for a fleet that another rulebook
        compiled or that was pickled
    TenantError
        for a table of which no row could be right
    """
    check_type(rulebook, Rulebook, "a Rulebook", RulebookError)
    fleet = tenants if isinstance(tenants, Fleet) else rulebook.bind(engine.catalog.fields).compile_many(tenants)
    ids = [rule.id for rule in rulebook.document.rules]
    with collection_paused():
        pairs = _pairs(fleet, ids)
        winner, cost = _ranked(engine, pairs.policies, tokens, on_progress)
    weight = np.bincount(fleet.index[fleet.index >= 0], minlength=len(fleet.policies)).astype(np.int64)
    found = [_rule(rulebook, at, pairs, weight, winner, cost, tokens) for at in range(len(ids))]
    found.sort(key=lambda rule: -rule.total)
    own = np.array([pairs.place[compiled.policy.identity] for compiled in fleet.policies], dtype=np.int64)
    offered, known = winner[own] != _NONE, ~np.isnan(cost[own])
    return DearestRules(
        tuple(found[:top]),
        tokens,
        int(weight.sum()),
        len(fleet.errors),
        int(weight[~offered].sum()),
        int(weight[offered & ~known].sum()),
        math.fsum(np.repeat(cost[own][known], weight[known]).tolist()),
        engine.provenance | {"rulebook_id": rulebook.rulebook_id},
    )


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Every rule of every compiled policy, with the policy that there is without it.

    ``policies`` are all that have to be ranked, ``place`` their positions by identity. ``rule``, ``compiled`` and, as
    positions in ``policies``, ``now`` and ``without`` are (m,) int64; the last is `_NONE` where there is none.
    """

    policies: list[Policy]
    place: Mapping[str, int]
    rule: NDArray[np.int64]
    compiled: NDArray[np.int64]
    now: NDArray[np.int64]
    without: NDArray[np.int64]


def _pairs(fleet: Fleet, rules: list[str]) -> _Pairs:
    position = {rule: at for at, rule in enumerate(rules)}
    known = {compiled.policy.identity: compiled.policy for compiled in fleet.policies}
    rows: list[tuple[int, int, str, str | None]] = []
    for at, compiled in enumerate(fleet.policies):
        for rule in compiled.rules:
            if rule not in position:
                raise RulebookError(f"the fleet was compiled by another rulebook: this one has no rule {rule!r}")
            try:
                without = compiled.without(rule, known).policy.identity
            except TenantError:
                without = None
            rows.append((position[rule], at, compiled.policy.identity, without))
    place = {identity: at for at, identity in enumerate(known)}
    numbers = [(r, at, place[now], _NONE if without is None else place[without]) for r, at, now, without in rows]
    columns = np.array(numbers, dtype=np.int64).reshape(len(numbers), 4).T
    return _Pairs(list(known.values()), place, *columns)


def _ranked(
    engine: Engine, policies: list[Policy], tokens: Tokens, on_progress: Callable[[int], None] | None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Give the catalog row of each policy's winner, `_NONE` for none, and what it costs, NaN where that is unknown."""
    ranked = engine.rank_rows(policies, k=1, on_progress=on_progress)
    if not ranked.rows.shape[1]:
        return np.full(len(policies), _NONE, dtype=np.int32), np.full(len(policies), math.nan)
    winner = np.where(ranked.ranked > 0, ranked.rows[:, 0], _NONE).astype(np.int32)
    return winner, np.where(winner == _NONE, math.nan, engine.costs(tokens)[winner])


def _rule(
    rulebook: Rulebook,
    at: int,
    pairs: _Pairs,
    weight: NDArray[np.int64],
    winner: NDArray[np.int32],
    cost: NDArray[np.float64],
    tokens: Tokens,
) -> FleetRule:
    chosen = pairs.rule == at
    count = weight[pairs.compiled[chosen]]
    now, without = pairs.now[chosen], pairs.without[chosen]
    refused = without == _NONE
    before, after = winner[now], np.where(refused, _NONE, winner[without])
    gained = (before == _NONE) & (after != _NONE)
    lost = ~refused & (before != _NONE) & (after == _NONE)
    same = ~refused & (before == after)
    both = (before != _NONE) & (after != _NONE)
    # The same offer costs the same, also where nobody knows what.
    extra = np.where(same, 0.0, cost[now] - cost[without])
    counted = both & ~np.isnan(extra)
    other = both & ~same

    def tenants(mask: NDArray[np.bool_]) -> int:
        return int(count[mask].sum())

    total = math.fsum(np.repeat(extra[counted], count[counted]).tolist())
    mean = total / tenants(counted) if tenants(counted) else None
    rule = rulebook.document.rules[at]
    return FleetRule(
        rule.id,
        rule.description,
        tuple(part for part in _ADDS if getattr(rule, part)),
        int(count.sum()),
        tenants(same),
        tenants(other | gained | lost),
        tenants(other & (extra > 0)),
        tenants(other & (extra < 0)),
        tenants(other & (extra == 0)),
        tenants(other & np.isnan(extra)),
        tenants(gained),
        tenants(lost),
        tenants(refused),
        tenants(before == _NONE),
        total,
        mean,
        per_million(mean, tokens),
    )
