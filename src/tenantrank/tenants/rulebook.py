"""The operator's declared rules: loaded and checked once, then turned into a policy for each tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from tenantrank.errors import RulebookError, TenantError
from tenantrank.policy.encoding import encode_parameter
from tenantrank.policy.signature import MAX_DEPTH, Fields
from tenantrank.tenants.compiling import CompiledPolicy, Compiler
from tenantrank.tenants.document import BRANCH_MARK, Document
from tenantrank.tenants.fleet import Fleet, Progress, compile_table
from tenantrank.tenants.preparing import prepare
from tenantrank.tenants.reading import read
from tenantrank.tenants.states import parse_state

_MEMORY = 16_384
_MAX_NESTING = MAX_DEPTH + 8
"""Levels of a rulebook: those of the deepest term, of its parameters, and of the rule that holds it."""


class Rulebook:
    """Declared rules over tenant state, checked and ready to compile. Immutable; safe to share between threads.

    Made by `load` or `from_value`. Until it is bound to a catalog's fields by `bind`, its vocabulary is what its own
    terms use: a field that no catalog has is then not noticed.
    """

    def __init__(self, document: Document, fields: Fields | None = None, source: str = "rulebook") -> None:
        if fields is not None and not isinstance(fields, Fields):
            raise RulebookError(f"{source}: it is bound to a catalog's fields, got {type(fields).__name__}")
        prepared, faults = prepare(document, fields)
        if prepared is None:
            raise _refusal(source, faults)
        self._document = document
        self._prepared = prepared
        self._source = source
        self._compiler = Compiler(prepared, _MEMORY)

    @classmethod
    def load(cls, path: str | Path) -> Rulebook:
        """Load a rulebook file: JSON where it ends in ``.json``, else YAML.

        Raises
        ------
        RulebookError
            naming the file, and for each fault the rule and the place in it
        """
        return cls(_validated(read(path), str(path)), source=str(path))

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Rulebook:
        """Take a rulebook as the JSON value that a file would hold; errors as `load`."""
        return cls(_validated(value, "rulebook"))

    def bind(self, fields: Fields) -> Rulebook:
        """Check every rule against the vocabulary of a catalog, and give the rulebook that uses it.

        Raises
        ------
        RulebookError
            for every use of a field or tier that the catalog does not have, with the nearest one it has
        """
        return type(self)(self._document, fields, self._source)

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """Give the JSON Schema of a rulebook file (draft 2020-12)."""
        schema = Document.model_json_schema(by_alias=True)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "tenantrank rulebook"}

    @cached_property
    def rulebook_id(self) -> str:
        """The sha256, in hex, of what the file says: the same for YAML and JSON, and for any spacing or key order."""
        content = self._document.model_dump(mode="json", by_alias=True, exclude_none=True)
        return hashlib.sha256(encode_parameter(content).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def document(self) -> Document:
        """The rulebook as validated data."""
        return self._document

    @property
    def fields(self) -> Fields:
        """The vocabulary its terms were admitted against: the catalog's once bound, else the one inferred from use."""
        return self._prepared.fields

    @property
    def warnings(self) -> tuple[str, ...]:
        """Hard clauses that an offer passes by stating nothing, one line each; known once the rulebook is bound."""
        return self._prepared.warnings

    def compile(self, tenant: Mapping[str, Any], tenant_id: str | None = None) -> CompiledPolicy:
        """Compile one tenant.

        Parameters
        ----------
        tenant
            its state as JSON values by field; ``None`` and a missing key both mean absence. The key column and the keys
            under ``ignore`` may be there; any other undeclared key is an error, since it may be a field misspelt
        tenant_id
            what to call it in errors; by default what the key column says

        Raises
        ------
        TenantError
            where the state does not satisfy the declarations, or lacks what a hard rule needs
        """
        if not isinstance(tenant, Mapping):
            raise TenantError(f"a tenant's state is a mapping of fields to values, got {type(tenant).__name__}")
        name = tenant.get(self._document.key) if tenant_id is None else tenant_id
        try:
            return self._compiler.compile(parse_state(tenant, self._document))
        except TenantError as error:
            if name is None:
                raise
            raise TenantError(f"tenant {str(name)[:100]!r}: {error}", error.field, error.rule) from None

    def compile_many(self, table: pa.Table, on_progress: Progress | None = None) -> Fleet:
        """Compile a table of tenants, each distinct state once.

        Parameters
        ----------
        table
            one row a tenant; columns by field name, of the declared type or of text in the form that CSV gives it. A
            column for an optional field may be missing; undeclared columns decide nothing and are listed in
            ``ignored`` of the result
        on_progress
            called now and then with (rows done, rows in all)

        Returns
        -------
        a fleet equal to what `compile` gives row by row, a null standing for absence, but for two things: `compile`
        refuses undeclared keys, and a table's columns of strings are text as CSV gives it, where an empty string is
        absent, ``"true"`` a boolean, ``"7"`` a number and ``"a;b"`` a list. Neither a column that `read_tenants` made
        of JSON lines nor a column of another type is text: its cells mean what they mean to `compile`. A row that
        fails does not stop the others

        Raises
        ------
        TenantError
            where no row could be right: it is no table, the key column or one that is not optional is missing, a column
            is there twice, or an undeclared column looks like a misspelt field that has none
        """
        return compile_table(self._document, self._prepared, table, on_progress)

    def __repr__(self) -> str:
        return f"<Rulebook {self._document.name or self._source!r}: {len(self._document.rules)} rules>"


def _validated(value: Any, source: str) -> Document:
    if not isinstance(value, Mapping):
        raise RulebookError(f"{source}: a rulebook is a mapping, got {type(value).__name__}")
    _check_nesting(value, source)
    try:
        return Document.model_validate(dict(value))
    except ValidationError as error:
        raise _refusal(source, [_fault(detail, value) for detail in error.errors(include_url=False)]) from None


def _check_nesting(value: Any, source: str) -> None:
    """Refuse a value that would be too deep to walk, without recursion; one that holds itself is too deep as well."""
    waiting = [(value, 1)]
    while waiting:
        found, depth = waiting.pop()
        if depth > _MAX_NESTING:
            raise RulebookError(f"{source}: nested deeper than {_MAX_NESTING} levels")
        if isinstance(found, Mapping):
            waiting += [(item, depth + 1) for item in found.values()]
        elif isinstance(found, list | tuple):
            waiting += [(item, depth + 1) for item in found]


def _refusal(source: str, faults: list[str]) -> RulebookError:
    if len(faults) == 1:
        return RulebookError(f"{source}: {faults[0]}")
    return RulebookError("\n  ".join([f"{source}: {len(faults)} faults", *faults]))


def _fault(detail: Any, value: Mapping[str, Any]) -> str:
    """Say one fault of shape in one line, with the rule's id and the path."""
    steps = [step for step in detail["loc"] if not str(step).startswith(BRANCH_MARK)]
    rule = ""
    if len(steps) > 1 and steps[0] == "rules" and isinstance(steps[1], int):
        given = value["rules"][steps[1]]
        name = given.get("id") if isinstance(given, Mapping) else None
        if isinstance(name, str):
            rule, steps = f"rule {name!r}, ", steps[2:]
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "unknown key"
    place = f"{rule}{where}".rstrip(", ")
    return f"{place}: {message[:1].lower()}{message[1:]}" if place else message
