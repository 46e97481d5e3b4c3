"""What a report measures quality by: a Num field of the catalog, named or found."""

from __future__ import annotations

import numpy as np

from tenantrank.catalog import Catalog
from tenantrank.errors import CatalogError
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import Field
from tenantrank.report.outcomes import Outcomes
from tenantrank.tenants.nearest import hint

_ESTIMATE = "quality_hint"


def quality_field(outcomes: Outcomes, named: str | None = None) -> str | None:
    """Give the field that quality is told by.

    Parameters
    ----------
    outcomes
        the fleet as ranked
    named
        a field asked for by name

    Returns
    -------
    the field named; else the one by which most tenants' policies rank, among the fields whose names begin with
    ``bench_`` and ``quality_hint``, of which a value is known; else the one of those known for most offers; ties go to
    the earlier field; ``None`` where none is known for any offer

    Raises
    ------
    CatalogError
        for a name that is not a Num field of this catalog, with the nearest that is
    """
    catalog = outcomes.engine.catalog
    if named is not None:
        numbers = [field.name for field in catalog.fields.values() if field.sort == "Num"]
        if named not in numbers:
            raise CatalogError(f"no number field {named!r} in this catalog{hint(named, numbers)}")
        return named
    known = {field.name: _known(catalog, field.name) for field in catalog.fields.values() if _tells(field)}
    known = {name: count for name, count in known.items() if count}
    if not known:
        return None
    ranked_by = _tenants_ranked_by(outcomes)
    return max(known, key=lambda name: (ranked_by.get(name, 0), known[name]))


def _tells(field: Field) -> bool:
    # How many figures an estimate rests on is no estimate.
    return field.sort == "Num" and (
        field.name == _ESTIMATE or (field.name.startswith("bench_") and field.unit != "figures")
    )


def _known(catalog: Catalog, name: str) -> int:
    return int((~np.isnan(catalog.numbers(name))).sum())


def _tenants_ranked_by(outcomes: Outcomes) -> dict[str, int]:
    """Count by field the tenants whose scorer reads it."""
    policies, index = outcomes.fleet.by_identity()
    sizes = np.bincount(index[index >= 0], minlength=len(policies)).tolist()
    found: dict[str, int] = {}
    for policy, tenants in zip(policies, sizes, strict=True):
        for name in _fields_of(policy.scorer):
            found[name] = found.get(name, 0) + tenants
    return found


def _fields_of(scorer: Node) -> set[str]:
    found, waiting = set(), [scorer]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if node.op == "field":
            found.add(node.parameters[0])
    return found
