"""What the language knows before it sees a term: its ops with their slots, and the fields that policies may observe.

Source: the language's specification, sections 1 (terms) and 4 (fields).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from tenantrank.errors import CatalogError
from tenantrank.policy.memory import Memory

Version = Literal["sigma-pol/v1", "sigma-pol/v2"]
V1: Version = "sigma-pol/v1"
V2: Version = "sigma-pol/v2"
VERSIONS: tuple[Version, ...] = (V1, V2)

MAX_DEPTH = 64
"""Deepest term admitted; the root is depth 1."""
MAX_NODES = 4096
"""Most subterms admitted in one term, the root included."""

DEFAULT_TIER_ORDER = ("fallback", "marketplace", "partner")
RELATIONS = ("lt", "le", "eq", "ne", "ge", "gt")
ACTIONS = ("retry_same", "next_candidate", "next_provider_same_model", "disable_provider", "abort")

_SUBTERM_SORTS = frozenset({"Pred", "Scorer", "Selector", "Xform", "FailPlan", "Policy", "Evidence"})


@dataclass(frozen=True, slots=True)
class Op:
    """One operator: its result sort and the sort of each argument.

    ``slots`` names one sort an argument; ``variadic`` says that the single slot repeats, once or more. A slot whose
    sort is one of the term sorts takes a subterm, any other takes a plain parameter: the signature alone decides.
    """

    name: str
    sort: str
    slots: tuple[str, ...]
    variadic: bool = False


def is_subterm(slot: str) -> bool:
    """Say whether an argument of this sort is a term of its own."""
    return slot in _SUBTERM_SORTS


def _ops(*rows: tuple[str, str, str]) -> dict[str, Op]:
    table = {}
    for name, sort, slots in rows:
        variadic = slots.endswith("+")
        table[name] = Op(name, sort, tuple(slots.rstrip("+").split()), variadic)
    return table


_COMMON = _ops(
    ("top", "Pred", ""),
    ("bot", "Pred", ""),
    ("meets_req", "Pred", ""),
    ("scope_matches", "Pred", ""),
    ("and", "Pred", "Pred+"),
    ("or", "Pred", "Pred+"),
    ("not", "Pred", "Pred"),
    ("is", "Pred", "BoolField"),
    ("cmp", "Pred", "NumField Rel Num"),
    ("tier_eq", "Pred", "Tier"),
    ("min_tier", "Pred", "Tier"),
    ("family_eq", "Pred", "Text"),
    ("has_cap", "Pred", "Text"),
    ("zero", "Scorer", ""),
    ("add", "Scorer", "Scorer+"),
    ("scale", "Scorer", "Num Scorer"),
    ("gate", "Scorer", "Pred Scorer"),
    ("neg", "Scorer", "Scorer"),
    ("normalize", "Scorer", "Scorer"),
    ("clamp", "Scorer", "Num Num Scorer"),
    ("field", "Scorer", "NumField"),
    ("lit", "Scorer", "Num"),
    ("argmax", "Selector", ""),
    ("ordered", "Selector", ""),
    ("sample", "Selector", "Num"),
    ("chain", "Selector", "Chain"),
    ("top_k", "Selector", "Count Selector"),
    ("id", "Xform", ""),
    ("seq", "Xform", "Xform+"),
    ("set_param", "Xform", "Text Scalar"),
    ("inject_seed", "Xform", "Text"),
    ("clamp_param", "Xform", "Text Num Num"),
    ("jitter", "Xform", "Text Num"),
    ("filter_text", "Xform", "Recipe"),
    ("filter_image", "Xform", "Recipe"),
    ("custom", "Xform", "Text"),
    ("when", "Xform", "Pred Xform"),
    ("always", "FailPlan", "Action"),
    ("override", "FailPlan", "FailPlan Text Action"),
)

_V2_ONLY = _ops(
    ("provider_eq", "Pred", "Text"),
    ("served_by_eq", "Pred", "Text"),
    ("policy", "Policy", "Pred Scorer Selector Xform FailPlan"),
)

_V1_ONLY = _ops(
    ("quality", "Scorer", ""),
    ("speed", "Scorer", ""),
    ("cost", "Scorer", ""),
    ("free_credit", "Scorer", ""),
    ("partner", "Scorer", ""),
    ("ev_zero", "Evidence", ""),
    ("ev_add", "Evidence", "Evidence+"),
    ("ev_scale", "Evidence", "Num Evidence"),
    ("decay", "Evidence", "Num Evidence"),
    ("from_prov", "Evidence", "Text"),
    ("policy", "Policy", "Evidence Pred Scorer Selector Xform FailPlan"),
)

OPS: Mapping[Version, Mapping[str, Op]] = MappingProxyType(
    {V1: MappingProxyType(_COMMON | _V1_ONLY), V2: MappingProxyType(_COMMON | _V2_ONLY)}
)
"""The operators of each version by name."""

Sort = Literal["Num", "Bool"]


@dataclass(frozen=True, slots=True)
class Field:
    """One named observation of an offer that a policy may use.

    ``default`` is the value a policy sees where nothing is known. ``coverage`` is the share of the catalog's offers for
    which a source states a value, ``None`` where the question makes no sense (live state).
    """

    name: str
    sort: Sort
    default: float | bool
    unit: str = ""
    description: str = ""
    source: str = ""
    coverage: float | None = None
    versions: tuple[Version, ...] = VERSIONS


_INF = math.inf

BUILTIN_FIELDS: tuple[Field, ...] = (
    Field("price_in", "Num", _INF, "USD per 1M tokens", "input price", "offer, else live state"),
    Field("price_out", "Num", _INF, "USD per 1M tokens", "output price", "offer, else live state"),
    Field("latency_ms", "Num", _INF, "ms", "time to answer", "v2: offer; v1: live state"),
    Field("tok_s", "Num", 0.0, "tokens/s", "output speed", "v2: offer; v1: live state"),
    Field("success_rate", "Num", 1.0, "0-1", "share of calls that succeed", "v2: offer; v1: live state"),
    Field("credits", "Num", 0.0, "USD", "credit left with the provider", "live state"),
    Field("context", "Num", 0.0, "tokens", "largest context window", "offer"),
    Field("has_tee", "Bool", False, "", "runs in a trusted execution environment", "offer"),
    Field("no_log", "Bool", False, "", "keeps no log of prompts or answers", "offer"),
    Field("breaker_open", "Bool", False, "", "the provider's circuit breaker is open", "live state"),
    Field("disabled", "Bool", False, "", "the provider is disabled for now", "live state"),
    Field("quality", "Num", 0.0, "0-1", "last measured quality, else the hint", "live state, else offer", None, (V1,)),
    Field("quality_hint", "Num", 0.0, "0-1", "the operator's estimate of quality", "offer", None, (V1,)),
)
"""The fields the language itself defines (section 4)."""

STATE_FIELDS = frozenset({"credits", "breaker_open", "disabled"})
"""Fields read from live state only, never from an offer."""


class Fields(Mapping[str, Field]):
    """The vocabulary that a term is admitted against: observable fields by name, and the order of tiers.

    A mapping from field name to `Field`, in declaration order, built-in fields first. Immutable.

    Parameters
    ----------
    extension
        further fields by name: a `Field`, or a mapping with ``sort`` ("Num" or "Bool") and ``default``
    tier_order
        tier names, lowest first

    Raises
    ------
    CatalogError
        for a declaration without a usable sort or default, one that changes a built-in field's sort, or a tier order
        that is not a list of distinct strings
    """

    __slots__ = ("_by_name", "memory", "tier_order", "vocabularies")

    def __init__(
        self,
        extension: Mapping[str, Field | Mapping[str, Any]] | None = None,
        tier_order: Sequence[str] = DEFAULT_TIER_ORDER,
    ) -> None:
        by_name = {field.name: field for field in BUILTIN_FIELDS}
        if extension is not None and not isinstance(extension, Mapping):
            raise CatalogError("field declarations are a mapping from name to declaration")
        for name, declared in (extension or {}).items():
            field = _declared(name, declared)
            known = by_name.get(name)
            if known is not None and known.sort != field.sort:
                raise CatalogError(
                    f"field {_clipped(name)} is built in as {known.sort} and cannot be declared as {field.sort}"
                )
            by_name[name] = field if known is None else _merged(known, field)
        self._by_name = by_name
        if not isinstance(tier_order, list | tuple) or not all(isinstance(tier, str) for tier in tier_order):
            raise CatalogError("tier_order is a list of tier names, lowest first")
        self.tier_order = tuple(tier_order)
        if len(set(self.tier_order)) != len(self.tier_order):
            twice = next(tier for tier in self.tier_order if self.tier_order.count(tier) > 1)
            raise CatalogError(f"tier_order names a tier twice: {_clipped(twice)}")
        # Admission's own: what it admitted against these fields, and what it prepared for that by version.
        self.memory: Memory[Any] = Memory()
        self.vocabularies: dict[Version, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), self._by_name, self.tier_order)

    def __getitem__(self, name: str) -> Field:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Fields({len(self)} fields, tiers {' < '.join(self.tier_order)})"

    def sort_of(self, name: str, version: Version) -> Sort | None:
        """Give the sort of a field in one version of the language, or ``None`` where it is not declared there."""
        field = self._by_name.get(name)
        return field.sort if field is not None and version in field.versions else None

    def admits(self, other: Fields) -> bool:
        """Say whether these admit whatever other fields do: they have every field and tier that those have.

        Of classes made from this one nothing is known.
        """
        if other is self:
            return True
        if not type(self) is type(other) is Fields:
            return False
        known = self._by_name
        return set(self.tier_order).issuperset(other.tier_order) and all(
            (own := known.get(name)) is not None and own.sort == field.sort and own.versions == field.versions
            for name, field in other._by_name.items()
        )


def _restored(kind: type[Fields], by_name: dict[str, Field], tier_order: tuple[str, ...]) -> Fields:
    """Copy or unpickle fields, with a memory of their own."""
    fields = kind(None, tier_order)
    fields._by_name = by_name
    return fields


def _declared(name: Any, declared: Any) -> Field:
    if not isinstance(name, str):
        raise CatalogError(f"a field's name is a string, got a {type(name).__name__}")
    if isinstance(declared, Field):
        if declared.name != name:
            raise CatalogError(f"field {_clipped(name)}: declared under another name, {declared.name!r}")
        sort: Any = declared.sort
        default: Any = declared.default
    elif isinstance(declared, Mapping):
        sort = declared.get("sort")
        default = declared.get("default", False if sort == "Bool" else 0.0)
    else:
        raise CatalogError(f"field {_clipped(name)}: a declaration is a mapping with 'sort' and 'default'")
    usable = (sort == "Bool" and isinstance(default, bool)) or (sort == "Num" and _is_number(default))
    if not usable:
        raise CatalogError(f"field {_clipped(name)}: sort must be 'Num' or 'Bool' with a default of that sort")
    if isinstance(declared, Field):
        return declared
    return Field(name, "Bool", default) if sort == "Bool" else Field(name, "Num", float(default))


def _clipped(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:59] + "…")


def _is_number(value: Any) -> bool:
    """Whether a value is a number that a double can hold; infinities are, NaN and booleans are not."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    except OverflowError:
        return False


def _merged(known: Field, field: Field) -> Field:
    """Keep the language's default of a built-in field; take what a catalog adds to its description."""
    if known.versions != VERSIONS:
        return replace(field, versions=VERSIONS)
    return replace(
        known,
        unit=field.unit or known.unit,
        description=field.description or known.description,
        source=field.source or known.source,
        coverage=field.coverage,
    )
