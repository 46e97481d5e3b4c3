"""What could give way for a tenant whom nothing is left for, in lines for people."""

from __future__ import annotations

from tenantrank.whatif.relax_results import Relaxation, Relaxations


def suggestion(found: Relaxations) -> str:
    """Say in one line what could give way first, or what stands in the way."""
    return str(found.alternatives[0]) if found.alternatives else found.remedy or found.reason


def suggestions(found: Relaxations) -> list[str]:
    """Say what could give way, a line each, with the offer that would then be first; or what stands in the way."""
    if not found.alternatives:
        # Who asks has said the cause already, unless it is a selector of which nothing in the catalog is listed.
        said = found.remedy or (found.reason if found.cause == "selector" else "")
        return [said] if said else []
    return [f"could give way: {one}; then {_first(one, found)}" for one in found.alternatives]


def _first(one: Relaxation, found: Relaxations) -> str:
    cost = one.costs[0]
    costs = "of unknown cost" if cost is None else f"at {cost:.4g} USD a call ({found.tokens.words})"
    return f"{one.survivors} offer{' passes' if one.survivors == 1 else 's pass'}, {one.offer_ids[0]} first, {costs}"
