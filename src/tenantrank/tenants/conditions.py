"""Whether a rule applies to a tenant: true, false, or unknown, where it turns on a field that the tenant lacks.

A rule's `when` holds if every test in it holds. A test on an absent field is unknown unless the test itself says what
absence means (`absent`, `or_absent`); one test that fails settles the matter all the same. What becomes of an unknown
answer is the caller's business: for a rule that adds anything hard it is an error, never "does not apply".
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tenantrank.tenants.document import FieldSpec, Rule, ValueTest
from tenantrank.tenants.nearest import hint
from tenantrank.tenants.states import State, Value

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}


@dataclass(frozen=True, slots=True)
class FieldTest:
    """The test of one tenant field.

    Attributes
    ----------
    field : the tenant field
    if_absent : what the test gives where the field is absent; ``None``: unknown
    if_present : ``False`` where the test demands absence, else ``True``
    checks : what a present value must satisfy, each a predicate and its operand
    """

    field: str
    if_absent: bool | None
    if_present: bool
    checks: tuple[tuple[Callable[[Any, Any], bool], Any], ...]

    def __call__(self, value: Value) -> bool | None:
        """Test one value."""
        if value is None:
            return self.if_absent
        return self.if_present and all(check(value, operand) for check, operand in self.checks)


@dataclass(frozen=True, slots=True)
class Applies:
    """The `when` of a rule."""

    tests: tuple[FieldTest, ...]

    def __call__(self, state: State) -> tuple[bool | None, str | None]:
        """Say whether the rule applies; with an unknown answer comes the first field that it turns on."""
        unknown: str | None = None
        for test in self.tests:
            answer = test(state[test.field])
            if answer is False:
                return False, None
            if answer is None and unknown is None:
                unknown = test.field
        return (True, None) if unknown is None else (None, unknown)

    @property
    def fields(self) -> tuple[str, ...]:
        """The tenant fields tested, in the order of the rule."""
        return tuple(test.field for test in self.tests)


def prepare_condition(rule: Rule, fields: dict[str, FieldSpec]) -> tuple[Applies, list[tuple[str, str]]]:
    """Bring a rule's `when` into testable form.

    Returns
    -------
    the condition, and what is wrong with it: pairs of path inside the rule and reason; with faults, do not use it
    """
    tests: list[FieldTest] = []
    faults: list[tuple[str, str]] = []
    for name, given in rule.when.items():
        spec = fields.get(name)
        if spec is None:
            faults.append((f"when.{name}", f"undeclared tenant field {name!r}{hint(name, fields)}"))
            continue
        test = _spelled_out(given)
        found = _faults(name, spec, test)
        faults += [(f"when.{name}", reason) for reason in found]
        if not found:
            tests.append(_field_test(name, test))
    return Applies(tuple(tests)), faults


def _spelled_out(given: Any) -> ValueTest:
    if isinstance(given, ValueTest):
        return given
    return ValueTest.model_validate({"in" if isinstance(given, list) else "eq": given})


def _field_test(name: str, test: ValueTest) -> FieldTest:
    checks: list[tuple[Callable[[Any, Any], bool], Any]] = []
    if test.eq is not None:
        checks.append((operator.eq, test.eq))
    if test.ne is not None:
        checks.append((operator.ne, test.ne))
    if test.in_ is not None:
        checks.append((_is_in, frozenset(test.in_)))
    if test.not_in is not None:
        checks.append((_is_not_in, frozenset(test.not_in)))
    checks += [(ordering, bound) for key, ordering in _ORDERINGS.items() if (bound := getattr(test, key)) is not None]
    if test.contains is not None:
        checks.append((operator.contains, test.contains))
    if_absent = test.absent if test.absent is not None else test.or_absent
    return FieldTest(name, if_absent, test.absent is not True, tuple(checks))


def _is_in(value: Any, members: frozenset[Any]) -> bool:
    return value in members


def _is_not_in(value: Any, members: frozenset[Any]) -> bool:
    return value not in members


def _faults(name: str, spec: FieldSpec, test: ValueTest) -> list[str]:
    given = test.model_dump(exclude_none=True, by_alias=True)
    if not given:
        return ["a test needs at least one operator"]
    asks_absence = {"absent", "or_absent"} & set(given)
    compares = set(given) - {"absent", "or_absent"}
    if asks_absence and not spec.optional:
        return [f"tenant field {name!r} is not optional, so it is never absent"]
    if len(asks_absence) == 2 or ("absent" in given and test.absent and compares):
        return ["'absent: true' stands alone; use 'or_absent: true' beside another operator"]
    if asks_absence == {"or_absent"} and not compares:
        return ["'or_absent' needs another operator beside it"]
    faults: list[str] = []
    for key, operand in given.items():
        if key in _ORDERINGS and spec.type not in ("number", "integer"):
            faults.append(f"{key!r} compares numbers, and tenant field {name!r} is of type {spec.type}")
        elif key == "contains" and spec.type != "list":
            faults.append(f"'contains' asks a list, and tenant field {name!r} is of type {spec.type}")
        elif key in ("eq", "ne", "in", "not_in", "contains"):
            for item in operand if isinstance(operand, list) else [operand]:
                faults += _operand_faults(name, spec, key, item)
    return faults


def _operand_faults(name: str, spec: FieldSpec, key: str, item: Any) -> list[str]:
    if spec.type == "list" and key != "contains":
        return [f"tenant field {name!r} is a list; ask 'contains' or 'absent'"]
    if spec.type == "boolean":
        fits = isinstance(item, bool)
    elif spec.type in ("number", "integer"):
        fits = isinstance(item, int | float) and not isinstance(item, bool)
    else:
        fits = isinstance(item, str)
    if not fits:
        return [f"{item!r} can never equal tenant field {name!r}, which is of type {spec.type}"]
    if spec.values is not None and item not in spec.values:
        return [f"{item!r} is not an allowed value of tenant field {name!r}{hint(str(item), spec.values)}"]
    return []
