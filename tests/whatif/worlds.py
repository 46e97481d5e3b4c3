"""Small customer bases on two sides, and what one tenant at a time gives there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

import tenantrank as tr

FIELDS: dict[str, dict[str, Any]] = {
    "bench": {"sort": "Num", "default": 0.0},
    "region_eu": {"sort": "Bool", "default": False},
}
STATES = pa.schema([("tenant_id", pa.string()), ("plan", pa.string()), ("region", pa.string()), ("most", pa.float64())])
DECLARED = {
    "plan": {"type": "enum", "values": ["free", "paid"]},
    "region": {"type": "enum", "values": ["any", "eu"]},
    "most": {"type": "number", "optional": True},
}
BASE = {"id": "base", "require": [["not", ["is", "disabled"]]]}
CAP = {"id": "cap", "when": {"most": {"absent": False}}, "ceiling": {"price_out": {"tenant": "most"}}}
EU = {"id": "eu", "when": {"region": "eu"}, "require": [["is", "region_eu"]]}
BEST = {"id": "best", "when": {"plan": "paid"}, "preference": {"highest": "bench"}}


def offer(name: str, price: float | None = None, **rest: Any) -> dict[str, Any]:
    """An offer of the provider that its id begins with; a million tokens cost as much in as out."""
    prices = {} if price is None else {"price_in": price, "price_out": price}
    return {"id": name, "provider_id": name[0], "model_family": "m", **prices, **rest}


def engine_of(*offers: dict[str, Any], health: Any = None, envelope: Any = None) -> tr.Engine:
    return tr.Engine(tr.Catalog.from_records(list(offers), FIELDS), health, envelope)


def rulebook_of(*rules: Mapping[str, Any], **defaults: Any) -> tr.Rulebook:
    return tr.Rulebook.from_value(
        {
            "version": 1,
            "fields": DECLARED,
            "defaults": {"preference": {"lowest": "price_out"}, **defaults},
            "rules": list(rules),
        }
    )


def table_of(*rows: tuple[str | None, str, str, float | None]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(STATES.names, row, strict=True)) for row in rows], STATES)


@dataclass(frozen=True)
class Alone:
    """What one tenant has on one side, ranked by itself."""

    engine: tr.Engine
    error: str | None
    decision: tr.Decision | None
    rules: str | None

    @classmethod
    def of(cls, engine: tr.Engine, rulebook: tr.Rulebook, state: Mapping[str, Any]) -> Alone:
        try:
            compiled = rulebook.bind(engine.catalog.fields).compile(state)
        except tr.TenantError as error:
            return cls(engine, str(error), None, None)
        return cls(engine, None, engine.rank(compiled), ", ".join(compiled.rules))

    @property
    def order(self) -> tuple[str, ...]:
        return () if self.decision is None else self.decision.offer_ids

    @property
    def winner(self) -> str | None:
        return self.order[0] if self.order else None

    @property
    def survivors(self) -> int:
        return 0 if self.decision is None else self.decision.survivors

    @property
    def status(self) -> str:
        return "error" if self.decision is None else "ranked" if self.order else "no_offer"

    @property
    def cost(self) -> float | None:
        """What 3,000 tokens in and 1,000 out cost at the winner, from the records of the catalog."""
        if self.winner is None:
            return None
        row = self.engine.catalog.table.to_pylist()[self.engine.catalog.offer_ids.index(self.winner)]
        prices = row.get("price_in"), row.get("price_out")
        return None if None in prices else (3000 * prices[0] + 1000 * prices[1]) / 1_000_000

    @property
    def deciding(self) -> str | None:
        if self.decision is None or self.order:
            return None
        return "; ".join(map(str, self.decision.explain().deciding())) or "the catalog has no offers"

    def fate(self, offer_id: str) -> tuple[str, str | None]:
        """What an offer is here that is not the winner, where no selector but `argmax` is used."""
        if self.decision is None:
            return "refused", None
        if offer_id not in self.engine.catalog.offer_ids:
            return "not_offered", None
        failures = self.decision.explain().of(offer_id)
        if failures:
            return "rejected", str(failures[0].clause)
        assert offer_id in self.order
        return "outranked", None
