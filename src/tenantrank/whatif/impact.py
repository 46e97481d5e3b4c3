"""Blast radius: what a change of catalog, rulebook, overlay or envelope does to every tenant of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tenantrank.catalog.costs import USUAL, Tokens
from tenantrank.engine import Engine
from tenantrank.errors import RequestError
from tenantrank.policy.arguments import check_type
from tenantrank.tenants import Fleet, Rulebook
from tenantrank.tenants.collecting import collection_paused
from tenantrank.whatif.impact_figures import Cost, Counts, Move, Reason, RuleSet
from tenantrank.whatif.impact_pairs import Group, Pairs
from tenantrank.whatif.impact_sides import NONE, REFUSED, Answers, Fate, numbered
from tenantrank.whatif.impact_table import SCHEMA, Bools, Rows, columns_of_side, spread

Side = tuple[Engine, Rulebook | Fleet]
"""An engine, and who is ranked by it: a fleet, or a rulebook to compile the table of tenants with."""

RISES = {
    "not_offered": "by an offer that was not in the catalog before",
    "rejected": "by an offer that did not pass before",
    "unselected": "by an offer that the selector did not list before",
    "outranked": "by an offer that came behind it before",
}
"""How the winner after came to pass the one before, by what it was before."""


def impact(
    before: Side,
    after: Side,
    tenants: pa.Table | None = None,
    *,
    k: int = 5,
    tokens: Tokens = USUAL,
    on_progress: Callable[[int], None] | None = None,
) -> Impact:
    """Compare what two sides answer for every tenant.

    Catalog, health, envelope, rulebook and tenants may all differ between the sides. Offers are the same where their
    ids are. Tenants are matched by id, those of one id in the order of their rows; fleets of one and the same table row
    by row. The answers are those that `Engine.rank` gives for each tenant alone, without a request.

    Parameters
    ----------
    before, after
        the two sides
    tenants
        the table that rulebooks compile, each bound to the fields of its side's catalog; not needed for fleets
    k
        the most offers whose order is compared
    tokens
        what a call takes, by which costs are compared
    on_progress
        called with how many distinct policies more are ranked, now and then; both sides count

    Raises
    ------
    RequestError
        for what is no side, a rulebook without a table, or a bad ``k``
    RulebookError, TenantError
        as `Rulebook.bind` and `Rulebook.compile_many`
    """
    check_type(tokens, Tokens, "Tokens")
    old_engine, old_fleet = _side(before, tenants)
    new_engine, new_fleet = _side(after, tenants, (before, old_fleet))
    with collection_paused():
        names, old_numbers, new_numbers = numbered(old_engine, new_engine)
        old = Answers(old_engine, old_fleet, old_numbers, len(names), k, tokens, on_progress)
        new = Answers(new_engine, new_fleet, new_numbers, len(names), k, tokens, on_progress)
    return Impact(old, new, names, k, tokens)


class Impact:
    """What changes for whom, from one side to another. Made by `impact`.

    Groups, such as `moves`, are in order of falling numbers of tenants, then by their texts.

    Attributes
    ----------
    before, after : the answers of the sides
    k, tokens : as given
    """

    def __init__(self, before: Answers, after: Answers, offers: Sequence[str], k: int, tokens: Tokens) -> None:
        self.before = before
        self.after = after
        self.k = k
        self.tokens = tokens
        self._names = offers
        self._pairs = Pairs(before, after)

    @cached_property
    def counts(self) -> Counts:
        """How many tenants are hit, and how."""
        return self._pairs.counts()

    @cached_property
    def cost(self) -> Cost:
        """What a call of each tenant costs; unknown costs are counted, and never taken for 0."""
        return self._pairs.cost(self._pairs.both)

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """Who goes from which winner to which."""
        pairs = self._pairs
        keys = zip(map(self._name, pairs.old_winner.tolist()), map(self._name, pairs.new_winner.tolist()), strict=True)
        before, after = self.before.cost[pairs.old].tolist(), self.after.cost[pairs.new].tolist()
        return tuple(
            Move(old, new, found.tenants, self._tenant(found), _known(before[found.pair]), _known(after[found.pair]))
            for (old, new), found in pairs.groups(pairs.moved, keys)
        )

    @cached_property
    def reasons(self) -> tuple[Reason, ...]:
        """Why winners are winners no longer: what became of the old one, and where it was outranked, what let the new
        one past it. Who had none is not among them.
        """
        lost = self._pairs.moved & (self._pairs.old_winner != NONE)
        return self._reasons(lost, map(_with_rise, self._old_fates, self._new_fates))

    @cached_property
    def stranded(self) -> tuple[Reason, ...]:
        """Why tenants that had an offer are left with none: the fewest clauses that would have to give way."""
        hit = zip(self._pairs.stranded.tolist(), self._pairs.new.tolist(), strict=True)
        why = (Fate("no_offer", self.after.deciding(new)) if stranded else None for stranded, new in hit)
        return self._reasons(self._pairs.stranded, why)

    @cached_property
    def one_left(self) -> tuple[Reason, ...]:
        """Which offer is the only one left for tenants that had several; no ``why`` where the selector keeps it out."""
        last = (Fate("one_left", self._name(offer)) for offer in self._pairs.new_winner.tolist())
        return self._reasons(self._pairs.one_left, last)

    @cached_property
    def refused(self) -> tuple[Reason, ...]:
        """Why the state of tenants that had a policy is refused."""
        pairs = self._pairs
        lost = (pairs.old >= 0) & (pairs.new == REFUSED)
        messages = {error.row: error.message for error in self.after.fleet.errors}
        found: dict[str, list[int]] = {}
        for at in np.flatnonzero(lost[pairs.of_tenant]).tolist():
            found.setdefault(messages[int(pairs.new_rows[at])], []).append(at)
        reasons = [Reason("refused", why, len(at), pairs.tenants[at[0]]) for why, at in found.items()]
        return tuple(sorted(reasons, key=lambda reason: (-reason.tenants, str(reason.why))))

    @cached_property
    def rule_sets(self) -> tuple[RuleSet, ...]:
        """What changes for the tenants to whom the same rules apply, by the rules of both sides."""
        pairs = self._pairs
        rules = [
            (self.before.rules(old), self.after.rules(new))
            for old, new in zip(pairs.old.tolist(), pairs.new.tolist(), strict=True)
        ]
        places = {key: place for place, key in enumerate(dict.fromkeys(rules))}
        of_pair = np.array([places[key] for key in rules], dtype=np.int64)
        found = []
        for key, group in pairs.groups(pairs.both, rules):
            own: Bools = of_pair == places[key]
            hit = (pairs.moved, pairs.reordered, pairs.stranded, pairs.one_left)
            winner, order, stranded, one_left = (pairs.count(own & mask) for mask in hit)
            found.append(RuleSet(*key, group.tenants, winner, order, stranded, one_left, pairs.cost(own)))
        return tuple(found)

    @cached_property
    def table(self) -> pa.Table:
        """A row for each tenant, with the columns of `SCHEMA`: as the table before has them, then who is only in the
        other. Metadata says what each side was worked out from.
        """
        pairs = self._pairs
        of_tenant = pairs.of_tenant
        only_one = ~pairs.both[of_tenant]
        changed = {
            "winner_changed": pairs.moved,
            "order_changed": pairs.reordered,
            "survivors_changed": self.before.survivors[pairs.old] != self.after.survivors[pairs.new],
            "policy_changed": pairs.other_policy(),
        }
        columns = {"tenant": pa.array(pairs.tenants, pa.string())}
        columns |= {name: pa.array(found[of_tenant], mask=only_one) for name, found in changed.items()}
        for what, why, fates in (
            ("old_winner_now", "old_winner_why", self._old_fates),
            ("new_winner_then", "new_winner_why", self._new_fates),
        ):
            columns[what] = spread([None if fate is None else fate.what for fate in fates], of_tenant)
            columns[why] = spread([None if fate is None else fate.why for fate in fates], of_tenant)
        metadata: dict[str, str] = {}
        for name, side, positions, rows in (
            ("before", self.before, pairs.old, pairs.old_rows),
            ("after", self.after, pairs.new, pairs.new_rows),
        ):
            own = columns_of_side(side, positions, rows, of_tenant, self._names)
            columns |= {f"{column}_{name}": values for column, values in own.items()}
            metadata |= {f"{key}_{name}": value for key, value in side.engine.provenance.items()}
        table = pa.Table.from_arrays([columns[name] for name in SCHEMA.names], schema=SCHEMA)
        return table.replace_schema_metadata(metadata)

    @cached_property
    def _old_fates(self) -> list[Fate | None]:
        return self._fates(self.after, self._pairs.new, self._pairs.old_winner)

    @cached_property
    def _new_fates(self) -> list[Fate | None]:
        return self._fates(self.before, self._pairs.old, self._pairs.new_winner)

    def _fates(self, side: Answers, positions: Rows, offers: NDArray[np.int32]) -> list[Fate | None]:
        """Say for each pair what the winner of the other side is on this one, where that has another."""
        given = zip(self._pairs.moved.tolist(), positions.tolist(), offers.tolist(), strict=True)
        return [side.fate(at, offer) if moved and offer != NONE else None for moved, at, offer in given]

    def _reasons(self, chosen: Bools, fates: Iterable[Fate | None]) -> tuple[Reason, ...]:
        groups = self._pairs.groups(chosen, fates)
        return tuple(Reason(*fate, found.tenants, self._tenant(found)) for fate, found in groups if fate is not None)

    def _name(self, offer: int) -> str | None:
        return None if offer == NONE else self._names[offer]

    def _tenant(self, group: Group) -> str:
        return self._pairs.tenants[group.first]


def _side(given: Side, tenants: pa.Table | None, other: tuple[Side, Fleet] | None = None) -> tuple[Engine, Fleet]:
    """Give a side with its fleet; where the other side's rulebook and fields are its own, so is the other's fleet."""
    check_type(given, tuple, "an engine with a fleet or a rulebook")
    if len(given) != 2:
        raise RequestError(f"expected an engine with a fleet or a rulebook, got {len(given)} values")
    engine, whose = given
    check_type(engine, Engine, "an Engine")
    check_type(whose, (Fleet, Rulebook), "a Fleet or a Rulebook")
    if isinstance(whose, Fleet):
        return engine, whose
    if tenants is None:
        raise RequestError("a rulebook needs the table of tenants to compile")
    if other is not None and other[0][1] is whose and other[0][0].catalog is engine.catalog:
        return engine, other[1]
    return engine, whose.bind(engine.catalog.fields).compile_many(tenants)


def _with_rise(old: Fate | None, new: Fate | None) -> Fate | None:
    """Say of an outranked offer what the one that comes first now was before."""
    if old is None or new is None or old.what != "outranked":
        return old
    return Fate(old.what, f"{RISES[new.what]}{'' if new.why is None else f': {new.why}'}")


def _known(cost: float) -> float | None:
    return None if math.isnan(cost) else cost
