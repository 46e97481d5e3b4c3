"""What OpenRouter's ``provider`` object prefers, as a scorer: never a reason to leave an offer out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tenantrank.gateway.problem import Problem

_SORTS: Mapping[str, list[Any]] = {
    "price": ["neg", ["add", ["field", "price_in"], ["field", "price_out"]]],
    "throughput": ["field", "tok_s"],
    "latency": ["neg", ["field", "latency_ms"]],
}
_FLOOR, _CEILING = -100_000, 100_000
"""Ends of what a sort gives, so that an unknown price does not outweigh an order."""
_STEP = 1_000_000


def score_of(provider: Mapping[str, Any], order: Sequence[str]) -> list[Any]:
    """Give the scorer of a ``provider`` object.

    ``sort``: ``price``, the sum of both prices and the default, ``throughput`` or ``latency``, alone or as
    ``{"by": …, "partition": …}`` (there is one model, so that the partition decides nothing). Offers whose value is
    unknown come last. ``preferred_min_throughput`` (tokens a second) and ``preferred_max_latency`` (seconds), a number
    or ``{"p50": number}``, put the offers that keep them first, those that keep both before those that keep one, and
    providers of the order come before everything, the first of it first.

    Parameters
    ----------
    provider
        the object
    order
        the providers of its ``order`` by the catalog's ids

    Raises
    ------
    Problem
        400 ``invalid_provider`` for an unknown sort, a number that is none, or a percentile that nothing measures
    """
    base = _SORTS[_sort(provider.get("sort"))]
    kept: list[Any] = []
    least, most = _number(provider, "preferred_min_throughput"), _number(provider, "preferred_max_latency")
    if least is not None:
        kept.append(["cmp", "tok_s", "ge", least])
    if most is not None:
        kept.append(["cmp", "latency_ms", "le", most * 1000])
    if not kept and not order:
        return base
    parts: list[Any] = [["clamp", _FLOOR, _CEILING, base]]
    parts += [["gate", condition, ["lit", _STEP]] for condition in kept]
    above = len(kept) + 1
    for place, name in enumerate(order):
        parts.append(["gate", ["provider_eq", name], ["lit", (len(order) - place) * above * _STEP]])
    return ["add", *parts]


def _sort(given: Any) -> str:
    if type(given) is dict:
        for name in given:
            if name not in ("by", "partition"):
                raise _refused("sort", "it has the members by and partition")
        if given.get("partition") not in (None, "model", "none"):
            raise _refused("sort", "partition must be model or none")
        given = given.get("by")
    if given is None:
        return "price"
    if type(given) is not str or given not in _SORTS:
        raise _refused("sort", f"it must be one of {', '.join(_SORTS)}")
    return given


def _number(provider: Mapping[str, Any], member: str) -> float | None:
    given = provider.get(member)
    if type(given) is dict:
        if any(name != "p50" for name, value in given.items() if value is not None):
            raise _refused(member, "only the median (p50) is known")
        given = given.get("p50")
    if given is None:
        return None
    if type(given) not in (int, float) or not 0 <= given <= 1e9:
        raise _refused(member, "it must be a number of at least 0")
    return float(given)


def _refused(member: str, why: str) -> Problem:
    place = f"provider.{member}"
    return Problem(400, "invalid_provider", f"{place}: {why}", param=place)
