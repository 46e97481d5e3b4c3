"""A small offer, the fields and the plainest plan that the reference's own tests share."""

from __future__ import annotations

from typing import Any

from tests.reference.signature import Term

FIELDS: dict[str, dict[str, Any]] = {
    "bench": {"sort": "Num", "default": 0.5},
    "region_eu": {"sort": "Bool", "default": False},
    "trains": {"sort": "Bool", "default": True},
}
ALWAYS: Term = ["always", {"action": "next_candidate"}]


def offer(name: str, provider: str = "p", family: str = "m", **rest: Any) -> dict[str, Any]:
    return {"id": name, "provider_id": provider, "model_family": family, **rest}
