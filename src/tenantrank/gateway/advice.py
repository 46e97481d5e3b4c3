"""Warnings: what a policy may not do as its author expects, told before it is used."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Decision, Engine
from tenantrank.engine.names import unknown_names
from tenantrank.policy.normal_form import Node
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V2
from tenantrank.tenants import CompiledPolicy


def warnings_of(
    policy: Policy | CompiledPolicy,
    engine: Engine,
    decision: Decision | None = None,
    passing: NDArray[np.bool_] | None = None,
) -> list[str]:
    """Give warnings, one line each.

    Parameters
    ----------
    policy
        the caller's; of a compiled one its rulebook's warnings are among them
    engine
        whose catalog names are looked up in
    decision, passing
        what the policy came to, and which offers passed, (offers,) in catalog order; ``None`` for what can be said
        without
    """
    admitted = policy.policy if isinstance(policy, CompiledPolicy) else policy
    found = list(policy.warnings) if isinstance(policy, CompiledPolicy) else []
    for name, nearest in unknown_names([admitted.root], engine.catalog).items():
        found.append(f"no offer has the name {name!r}" + (f"; did you mean {nearest!r}?" if nearest else ""))
    if decision is None or passing is None:
        return found
    if not decision.survivors:
        found.append("no offer passes: see deciding")
    elif not decision.offer_ids:
        found.append(f"the selector keeps none of the {decision.survivors} offers that pass")
    if admitted.version == V2:
        found += _flattened(admitted.scorer, engine, passing)
    return found


def _flattened(scorer: Node, engine: Engine, passing: NDArray[np.bool_]) -> Iterator[str]:
    """Name the fields whose unknown value, an infinity, makes a `normalize` give 0 for every known one."""
    for field in dict.fromkeys(_normalized(scorer)):
        values = engine.observed(field)[passing]
        unknown = int(np.isinf(values).sum())
        if 0 < unknown < len(values):
            yield (
                f"{unknown} of the offers that pass have no {field}: rescaled between survivors, every known {field} "
                f"is 0; require that it is known"
            )


def _normalized(node: Node, inside: bool = False) -> Iterator[str]:
    if node.op == "field":
        if inside:
            yield node.parameters[0]
        return
    for child in node.children:
        yield from _normalized(child, inside or node.op == "normalize")
