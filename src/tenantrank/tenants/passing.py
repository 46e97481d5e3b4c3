"""Hard clauses that an offer passes by stating nothing: conditions that hold for the value which stands for unknown.

The language gives every field a value that stands for unknown. A floor on a field whose unknown value is high, or a
ban, `not`, on a flag whose unknown value is false, lets through every offer of which nothing is known.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping

from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import STATE_FIELDS, Field, Fields

_RELATIONS: Mapping[str, Callable[[float, float], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "ge": operator.ge,
    "gt": operator.gt,
}


def passed_by_unknown(condition: Node, fields: Fields, negated: bool = False) -> Iterator[tuple[str, str]]:
    """Give the offer fields whose unknown value satisfies a test inside a Pred, each with the words for that test.

    A test counts with the sense that the `not`s around it leave it, whatever else is joined to it by `and` or `or`.
    Fields of live state, and fields that every offer of the catalog states, have no unknown value to pass with.
    """
    if condition.op == "not":
        yield from passed_by_unknown(condition.children[0], fields, not negated)
    elif condition.op in ("and", "or"):
        for child in condition.children:
            yield from passed_by_unknown(child, fields, negated)
    elif condition.op in ("is", "cmp"):
        field = fields[condition.parameters[0]]
        if field.name not in STATE_FIELDS and field.coverage != 1 and _holds(condition, field) is not negated:
            words = " ".join([condition.op, *(_shown(parameter) for parameter in condition.parameters)])
            yield field.name, f"not {words}" if negated else words


def _holds(test: Node, field: Field) -> bool:
    if test.op == "is":
        return bool(field.default)
    _, relation, bound = test.parameters
    return _RELATIONS[relation](float(field.default), bound)


def _shown(parameter: object) -> str:
    return f"{parameter:g}" if isinstance(parameter, float) else str(parameter)
