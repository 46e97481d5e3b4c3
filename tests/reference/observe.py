"""What a policy may look at: the fields of an offer, the request and the live state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.reference.signature import BUILTINS, BUILTINS_V1, V1, Fields

Offer = Mapping[str, Any]

NEEDS = (
    ("tools", "supports_tools"),
    ("vision", "supports_vision"),
    ("json_mode", "supports_json_mode"),
    ("seed", "supports_seed"),
)


def offer_id(offer: Offer) -> str:
    return str(offer["id"] if "id" in offer else offer["offer_id"])


def record(value: Any) -> Mapping[str, Any]:
    """A record that may be absent; an empty list stands for an empty one."""
    return value if isinstance(value, Mapping) else {}


class Setting:
    """Everything but the offer that a policy looks at: the request, the live state and the declarations."""

    def __init__(self, ctx: Mapping[str, Any], fields: Fields, tier_order: Sequence[str], version: str) -> None:
        state = record(ctx.get("state"))
        self.request = record(ctx.get("request"))
        self.requirements = record(self.request.get("requirements"))
        self.seed = ctx.get("seed")
        self.ema = record(state.get("ema"))
        self.breakers = record(state.get("breakers"))
        self.disabled = record(state.get("disabled"))
        self.credits = record(state.get("credits"))
        self.fields = fields
        self.tier_order = list(tier_order)
        self.version = version
        self.needs = self._needs()

    def _needs(self) -> list[tuple[str, str]]:
        """The needs that map to a capability, with it, in the order in which they are checked."""
        wanted = set(self.requirements.get("needs") or ())
        if self.request.get("images"):
            wanted.add("vision")
        if self.request.get("tools"):
            wanted.add("tools")
        if record(self.request.get("response_format")).get("type") == "json_object":
            wanted.add("json_mode")
        return [(need, capability) for need, capability in NEEDS if need in wanted]

    def observed(self, offer: Offer) -> Mapping[str, Any]:
        """What the live state holds for the offer's provider and family."""
        return record(self.ema.get(f"{offer['provider_id']}|{offer['model_family']}"))

    def default(self, name: str) -> float | bool:
        if name in BUILTINS:
            return BUILTINS[name][1]
        if self.version == V1 and name in BUILTINS_V1:
            return BUILTINS_V1[name][1]
        return self.fields[name]["default"]  # type: ignore[no-any-return]

    def number(self, name: str, offer: Offer) -> float:
        """A Num field of an offer, its default where nothing is known."""
        value = self._number(name, offer)
        return float(self.default(name) if value is None else value) + 0.0  # no negative zero

    def _number(self, name: str, offer: Offer) -> Any:
        if name == "credits":
            return self.credits.get(offer["provider_id"])
        if name == "context":
            return record(offer.get("capabilities")).get("context")
        if name in ("price_in", "price_out"):
            offered, live = offer.get(name), self.observed(offer).get(name)
            return first(live, offered) if self.version == V1 else first(offered, live)
        if self.version == V1:
            if name == "latency_ms":
                return self.observed(offer).get("ema_latency_ms")
            if name == "tok_s":
                return self.observed(offer).get("ema_tok_s")
            if name == "success_rate":
                return self.observed(offer).get("success_rate_ewma")
            if name == "quality":
                return first(self.observed(offer).get("last_quality_eval"), offer.get("quality_hint"))
        return offer.get(name)

    def flag(self, name: str, offer: Offer) -> bool:
        """A Bool field of an offer, its default where nothing is known."""
        if name == "breaker_open":
            return bool(self.breakers.get(offer["provider_id"]))
        if name == "disabled":
            return offer["provider_id"] in self.disabled
        value = offer.get(name)
        return bool(self.default(name) if value is None else value)

    def tier_rank(self, tier: str) -> int:
        return self.tier_order.index(tier) if tier in self.tier_order else -1


def first(*values: Any) -> Any:
    """The first value that is known."""
    return next((value for value in values if value is not None), None)


def own_tier(offer: Offer) -> str:
    return offer.get("tier") or "fallback"


def has_capability(offer: Offer, name: str) -> bool:
    return bool(record(offer.get("capabilities")).get(name))
