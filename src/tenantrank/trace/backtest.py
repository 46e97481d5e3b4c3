"""Backtests: what recorded decisions would have come to under another catalog or another rulebook, and at what cost."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pyarrow as pa

from tenantrank.catalog import Catalog
from tenantrank.catalog.costs import Doubles, Tokens, expected_costs
from tenantrank.engine import Engine
from tenantrank.engine.recent import Recent
from tenantrank.errors import RulebookError, TraceError
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import Fields
from tenantrank.tenants import Rulebook
from tenantrank.trace.recompute import Answer, Recorded, recomputed
from tenantrank.trace.record import SHOWN
from tenantrank.trace.restore import Restored
from tenantrank.trace.store import Reader, Stored

_LISTED = 1000  # changes, and reasons of decisions that could not be compared, that are kept with their words
_STEP = 1024
_CATALOGS = 8


class Used(NamedTuple):
    """The tokens that the answer to a call took, and the offer that gave it."""

    offer: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Change:
    """A decision whose first offer would have been another one; ``None`` stands for none, and for a cost not known."""

    seq: int
    id: str
    tenant: str | None
    before: str | None
    after: str | None
    cost_before: float | None
    cost_after: float | None


@dataclass
class Backtest:
    """What would have been.

    Attributes
    ----------
    count : decisions looked at; compared : those that could be computed again
    first : whose first offer would have been another one; order : whose first `SHOWN` offers or their order would have
        been others, those of ``first`` included; none : that would have been left without any offer; some : likewise
        the other way round
    priced : compared decisions of which the tokens are recorded and both prices known
    cost_before, cost_after : of these, in USD, by list prices of the tokens recorded
    moves : by pair of first offers, how often the one would have taken the other's place
    changes : the first of ``first``; refused : why decisions could not be computed again, with how many
    """

    count: int = 0
    compared: int = 0
    first: int = 0
    order: int = 0
    none: int = 0
    some: int = 0
    priced: int = 0
    cost_before: float = 0.0
    cost_after: float = 0.0
    moves: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def backtest(
    store: Reader,
    decisions: Iterable[Recorded],
    used: Mapping[str, Used],
    *,
    catalog: Catalog | None = None,
    rulebook: Rulebook | None = None,
    tenants: pa.Table | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Backtest:
    """Compute recorded decisions under another catalog, another rulebook or both.

    Health, envelope, request and seed are the recorded ones.

    Parameters
    ----------
    store
        whose snapshots are used
    decisions
        as recorded
    used
        the tokens of calls by the id of their decision; see `used_of`
    catalog
        in the place of the recorded ones
    rulebook, tenants
        make the policies anew
    on_progress
        called with how many more are done, now and then
    """
    result = Backtest()
    prices = _Prices(Restored(store))
    policy = None if rulebook is None or tenants is None else _Anew(rulebook, tenants)
    for decision, answer in recomputed(decisions, Restored(store, catalog), SHOWN, policy):
        result.count += 1
        if on_progress is not None and result.count % _STEP == 0:
            on_progress(_STEP)
        try:
            if isinstance(answer, TraceError):
                raise answer
            _compare(result, decision, answer, used.get(decision.id), prices)
        except TraceError as error:
            reason = str(error)
            result.refused[reason if reason in result.refused or len(result.refused) < _LISTED else "other"] += 1
        except (KeyError, TypeError, IndexError, ValueError):
            result.refused["the record is not of the form of a decision"] += 1
    return result


def used_of(stored: Iterable[Stored]) -> dict[str, Used]:
    """Give the tokens of calls by the id of their decision, from records of attempts; calls without are left out."""
    found: dict[str, Used] = {}
    for each in stored:
        record = each.record
        if record.get("kind") != "attempts":
            continue
        for attempt in record.get("attempts", ()):
            tokens = attempt.get("tokens_in"), attempt.get("tokens_out")
            if attempt.get("outcome") is None and type(tokens[0]) is int and type(tokens[1]) is int:
                found[record["of"]] = Used(attempt["offer"], *tokens)
    return found


class _Anew:
    """Policies as another rulebook makes them of a table of tenants."""

    def __init__(self, rulebook: Rulebook, tenants: pa.Table) -> None:
        self._rulebook = rulebook
        self._tenants = tenants
        self._fields: Fields | None = None
        self._policies: dict[str, Policy] = {}
        self._errors: dict[str, str] = {}

    def __call__(self, decision: Recorded, engine: Engine) -> Policy:
        if self._fields is not engine.catalog.fields:
            self._compile(engine.catalog.fields)
        tenant = decision.record["tenant"]
        policy = self._policies.get(tenant)
        if policy is None:
            raise TraceError(self._errors.get(tenant, "its tenant is not in the table of tenants"))
        return policy

    def _compile(self, fields: Fields) -> None:
        try:
            fleet = self._rulebook.bind(fields).compile_many(self._tenants)
        except RulebookError as error:
            raise TraceError(str(error)) from None
        failed = {error.row: error.message for error in fleet.errors}
        self._fields, self._policies, self._errors = fields, {}, {}
        for row, (tenant, place) in enumerate(zip(fleet.tenants, fleet.index.tolist(), strict=True)):
            if row in failed:
                self._errors[tenant] = failed[row]
            else:
                self._policies[tenant] = fleet.policies[place].policy


def _compare(result: Backtest, decision: Recorded, answer: Answer, used: Used | None, prices: _Prices) -> None:
    record = decision.record
    then = [entry[0] for entry in record["ranked"]]
    now = list(answer.offer_ids[: SHOWN if record["k"] is None else min(record["k"], SHOWN)])
    before, after = then[0] if then else None, now[0] if now else None
    result.compared += 1
    result.order += then != now
    result.none += before is not None and after is None
    result.some += before is None and after is not None
    costs = None if used is None or after is None else prices.costs(record, answer.engine.catalog, after, used)
    if costs is not None:
        result.priced += 1
        result.cost_before += costs[0]
        result.cost_after += costs[1]
    if before != after:
        result.first += 1
        result.moves[before, after] += 1
        if len(result.changes) < _LISTED:
            cost = costs or (None, None)
            result.changes.append(Change(decision.seq, decision.id, record["tenant"], before, after, *cost))


class _Prices:
    """What tokens cost by the list prices of catalogs; the same tokens are assumed of every offer."""

    def __init__(self, restored: Restored) -> None:
        self._restored = restored
        self._known: Recent[_Priced] = Recent(_CATALOGS)

    def costs(self, record: Mapping[str, Any], now: Catalog, offer: str, used: Used) -> tuple[float, float] | None:
        """Give the cost of the offer that answered then, and of another one now; ``None`` where a price is unknown."""
        try:
            then = self._restored.catalog(record["catalog_id"], record["as_of"])
        except TraceError:
            return None
        before, after = self._cost(then, used.offer, used), self._cost(now, offer, used)
        return None if before is None or after is None else (before, after)

    def _cost(self, catalog: Catalog, offer: str, used: Used) -> float | None:
        # By address: what is remembered holds the catalog, so that no other has it.
        priced = self._known.get(id(catalog), lambda: _Priced.of(catalog))
        row, tokens = priced.rows.get(offer), Tokens.sensible(used.tokens_in, used.tokens_out)
        if row is None or tokens is None:
            return None
        rows = [row]
        cost = float(expected_costs(catalog, tokens, priced.price_in[rows], priced.price_out[rows], rows)[0])
        return None if math.isnan(cost) else cost


class _Priced(NamedTuple):
    """A catalog with the rows of its offers and their list prices."""

    catalog: Catalog
    rows: Mapping[str, int]
    price_in: Doubles
    price_out: Doubles

    @classmethod
    def of(cls, catalog: Catalog) -> _Priced:
        rows = {offer: row for row, offer in enumerate(catalog.offer_ids)}
        return cls(catalog, rows, catalog.numbers("price_in"), catalog.numbers("price_out"))
