"""A tenant's state, checked against the declared fields: what conditions test and placeholders take.

A value is what the tenant has or an error for that tenant: nothing is guessed, and no value outside the declaration
gets further. Absence is ``None``; only fields declared optional may be absent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from tenantrank.errors import TenantError
from tenantrank.policy.strict_json import MAX_INTEGER
from tenantrank.tenants.document import Document, FieldSpec
from tenantrank.tenants.nearest import hint

Value: TypeAlias = str | float | int | bool | tuple[str, ...] | None
State: TypeAlias = Mapping[str, Value]

LIST_SEPARATOR = ";"
"""What separates the items of a list in one cell of text."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_OTHER_FORMS = frozenset(',[]"')
_TEXTS = {"true": True, "false": False}


def parse_state(tenant: Mapping[str, Any], document: Document) -> dict[str, Value]:
    """Check the state of one tenant, given as a mapping of JSON values.

    Returns
    -------
    every declared field with its value, in declared order; ``None`` where absent

    Raises
    ------
    TenantError
        for a value that its declaration does not allow, a missing field that is not optional, or a key that is neither
        declared nor ignored
    """
    known = {*document.fields, document.key, *document.ignore}
    for key in tenant:
        if key not in known:
            name = key[:60] if isinstance(key, str) else shown(key)
            raise TenantError(f"unknown field {name!r}{hint(name, known)}", name)
    return {name: parse_value(name, spec, tenant.get(name)) for name, spec in document.fields.items()}


def parse_value(name: str, spec: FieldSpec, value: Any, hinting: bool = True) -> Value:
    """Check one value against its declaration; ``None`` stands for absence.

    A refusal of a name that is none of the declared values ends in the nearest of them; without `hinting` it does not,
    since to find the nearest takes far longer than all the rest.

    Raises
    ------
    TenantError
        naming the field
    """
    if value is None:
        if spec.optional:
            return None
        raise TenantError(f"field {name!r} is missing, and the rulebook does not declare it optional", name)
    if spec.type == "boolean":
        if isinstance(value, bool):
            return value
        raise _refusal(name, "true or false", value)
    if spec.type == "list":
        return _list(name, spec, value, hinting)
    if spec.type in ("number", "integer"):
        return _number(name, spec, value)
    return _text(name, spec, value, hinting)


def parse_cell(name: str, spec: FieldSpec, cell: Any, hinting: bool = True) -> Value:
    """Check one cell of a table: as `parse_value`, and text is read as the declared type.

    An empty text is absence, and blanks alone are refused. ``true`` and ``false`` are booleans in any letter case.
    Numbers are decimal; one without point and exponent is an integer, held to what `parse_value` asks of one. The
    items of a list are separated by ``;``, blanks around them dropped; ``;`` alone is the empty list, and an empty item
    beside others is refused. So is, in a list that declares no values, an item with a comma, a bracket or a double
    quote: a list in some other form would pass for one name that nothing has.
    """
    if not isinstance(cell, str):
        return parse_value(name, spec, cell, hinting)
    if not cell:
        return parse_value(name, spec, None)
    if cell.isspace():
        raise _refusal(name, "a value or an empty cell", cell)
    value: Any = cell
    if spec.type == "boolean":
        value = _TEXTS.get(cell.lower(), cell)
    elif spec.type == "list":
        value = _items(name, spec, cell)
    elif spec.type in ("number", "integer"):
        value = _literal(cell)
    return parse_value(name, spec, value, hinting)


def _items(name: str, spec: FieldSpec, cell: str) -> list[str]:
    if cell.strip() == LIST_SEPARATOR:
        return []
    items = [part.strip() for part in cell.split(LIST_SEPARATOR)]
    if "" in items:
        raise _refusal(name, f"items separated by single {LIST_SEPARATOR!r}", cell)
    if spec.values is None and not _OTHER_FORMS.isdisjoint(cell):
        raise _refusal(name, f"items separated by {LIST_SEPARATOR!r}, without commas, brackets or double quotes", cell)
    return items


def _literal(cell: str) -> Any:
    try:
        if _INTEGER.fullmatch(cell):
            return int(cell)
    except ValueError:  # more digits than Python reads
        return cell
    return float(cell) if _DECIMAL.fullmatch(cell) else cell


def shown(value: Any) -> str:
    """Show a value in an error message, clipped."""
    try:
        text = repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:  # an int with more digits than Python prints
        return "a number of very many digits"
    except RecursionError:
        return "a value nested too deeply"
    return text if len(text) <= 80 else text[:79] + "…"


def _refusal(name: str, wanted: str, value: Any, suggestion: str = "") -> TenantError:
    return TenantError(f"field {name!r}: expected {wanted}, got {shown(value)}{suggestion}", name)


def _text(name: str, spec: FieldSpec, value: Any, hinting: bool) -> str:
    if not isinstance(value, str):
        raise _refusal(name, "a string", value)
    if spec.values is not None and value not in spec.values:
        raise _refusal(name, f"one of {', '.join(spec.values)}", value, hint(value, spec.values) if hinting else "")
    return _encodable(name, value)


def _list(name: str, spec: FieldSpec, value: Any, hinting: bool) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise _refusal(name, "a list of strings", value)
    for item in value:
        if not isinstance(item, str):
            raise _refusal(name, "a list of strings", value)
        if spec.values is not None and item not in spec.values:
            suggestion = hint(item, spec.values) if hinting else ""
            raise _refusal(name, f"items out of {', '.join(spec.values)}", item, suggestion)
        _encodable(name, item)
    return tuple(dict.fromkeys(value))


def _number(name: str, spec: FieldSpec, value: Any) -> float | int:
    wanted = "an integer" if spec.type == "integer" else "a finite number"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(name, wanted, value)
    if abs(value) > MAX_INTEGER and (isinstance(value, int) or spec.type == "integer"):
        raise _refusal(name, "a number that a double holds exactly", value)
    if not math.isfinite(value):
        raise _refusal(name, wanted, value)
    if spec.type == "integer" and value != int(value):
        raise _refusal(name, wanted, value)
    if (spec.minimum is not None and value < spec.minimum) or (spec.maximum is not None and value > spec.maximum):
        raise _refusal(name, _range(spec), value)
    return int(value) if spec.type == "integer" else float(value) + 0.0


def _range(spec: FieldSpec) -> str:
    bounds = [f"at least {spec.minimum:g}"] if spec.minimum is not None else []
    bounds += [f"at most {spec.maximum:g}"] if spec.maximum is not None else []
    return " and ".join(bounds)


def _encodable(name: str, value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _refusal(name, "text that UTF-8 can hold", value) from None
    return value
