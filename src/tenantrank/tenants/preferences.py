"""Ranking preferences to scorer terms.

One field alone is scored by its own value, so that the order is exact and an unknown price (+inf) simply ranks last. A
blend has to bring its parts onto one scale, so there each field is normalized over the survivors; a survivor whose
value is unknown and infinite then levels all the others, which is why a compiled policy warns of an unguarded blend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.tenants.document import Blend, Highest, Lowest, Placeholder
from tenantrank.tenants.nearest import hint


def scorer_term(preference: Any, scorers: Mapping[str, Any]) -> Any:
    """Give the scorer term of a preference, placeholders still in it.

    Parameters
    ----------
    preference
        a name of `scorers`, a scorer term, or one of the models ``Lowest``, ``Highest``, ``Blend``
    scorers
        the rulebook's named scorers: terms, ``Lowest`` or ``Highest``

    Raises
    ------
    PolicyError
        for a name that is not among the scorers
    """
    if isinstance(preference, Blend):
        parts = [
            ["scale", _weight(weight), _normalized(_named(name, scorers, f"$.blend.{name}"))]
            for name, weight in preference.blend.items()
        ]
        return ["add", *parts]
    if isinstance(preference, str):
        preference = _named(preference, scorers, "$")
    if isinstance(preference, Highest):
        return ["field", preference.highest]
    if isinstance(preference, Lowest):
        return ["neg", ["field", preference.lowest]]
    return preference


def _named(name: str, scorers: Mapping[str, Any], path: str) -> Any:
    if name not in scorers:
        raise PolicyError(path, f"unknown scorer {name!r}{hint(name, scorers)}")
    return scorers[name]


def _normalized(scorer: Any) -> Any:
    if isinstance(scorer, Highest):
        return ["normalize", ["field", scorer.highest]]
    if isinstance(scorer, Lowest):
        return ["neg", ["normalize", ["field", scorer.lowest]]]
    return scorer


def _weight(weight: Any) -> Any:
    return weight.model_dump(exclude_none=True) if isinstance(weight, Placeholder) else weight
