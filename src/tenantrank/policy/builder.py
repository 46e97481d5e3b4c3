"""Policies written in Python: readable expressions that become plain JSON terms.

>>> from tenantrank.policy.builder import cheapest, f, is_, policy, provider
>>> policy((f.price_out <= 12) & provider.is_in("azure", "openai") & ~is_("deprecated"), cheapest("price_out"))[0]
'policy'

Nothing is checked here beyond what Python needs; `tenantrank.admit` checks the term.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Any


class Pred:
    """A condition on an offer. Combine with ``&``, ``|`` and ``~``; ``.term`` is the JSON value."""

    __slots__ = ("term",)

    def __init__(self, *term: Json) -> None:
        self.term: list[Json] = list(term)

    def __and__(self, other: Pred) -> Pred:
        return Pred(*_joined("and", self.term, other.term)) if isinstance(other, Pred) else NotImplemented

    def __or__(self, other: Pred) -> Pred:
        return Pred(*_joined("or", self.term, other.term)) if isinstance(other, Pred) else NotImplemented

    def __invert__(self) -> Pred:
        return Pred("not", self.term)

    def __bool__(self) -> bool:
        raise TypeError("a condition has no truth value of its own: join conditions with & | ~, not with and, or, not")

    def __repr__(self) -> str:
        return f"Pred({self.term!r})"


class Score:
    """A value for each offer, higher is better. Combine with ``+`` and ``* number``; ``.term`` is the JSON value."""

    __slots__ = ("term",)
    __array_ufunc__ = None  # a NumPy scalar on the left leaves the operator to this class

    def __init__(self, *term: Json) -> None:
        self.term: list[Json] = list(term)

    def __add__(self, other: Score) -> Score:
        return Score(*_joined("add", self.term, other.term)) if isinstance(other, Score) else NotImplemented

    def __mul__(self, factor: float) -> Score:
        return NotImplemented if isinstance(factor, Score) else Score("scale", _plain(factor), self.term)

    __rmul__ = __mul__

    def where(self, condition: Pred) -> Score:
        """Keep the score where a condition holds; 0 elsewhere."""
        return Score("gate", condition.term, self.term)

    def clamp(self, low: float, high: float) -> Score:
        """Keep the score between two ends."""
        return Score("clamp", _plain(low), _plain(high), self.term)

    def normalized(self) -> Score:
        """Rescale to 0–1 between the survivors' least and greatest."""
        return Score("normalize", self.term)

    def reversed(self) -> Score:
        """Give 1 minus the score."""
        return Score("neg", self.term)

    def __bool__(self) -> bool:
        raise TypeError("a score has no truth value: join scores with +, and restrict one with where()")

    def __repr__(self) -> str:
        return f"Score({self.term!r})"


class NumField:
    """A Num field by name: compare it with a number for a condition, or take it as a score."""

    __slots__ = ("name",)
    __array_ufunc__ = None  # a NumPy scalar on the left leaves the comparison to this class

    def __init__(self, name: str) -> None:
        self.name = name

    def __lt__(self, bound: float) -> Pred:
        return self._cmp("lt", bound)

    def __le__(self, bound: float) -> Pred:
        return self._cmp("le", bound)

    def __gt__(self, bound: float) -> Pred:
        return self._cmp("gt", bound)

    def __ge__(self, bound: float) -> Pred:
        return self._cmp("ge", bound)

    def __eq__(self, bound: object) -> Pred:  # type: ignore[override]
        return self._cmp("eq", bound)

    def __ne__(self, bound: object) -> Pred:  # type: ignore[override]
        return self._cmp("ne", bound)

    __hash__ = None  # type: ignore[assignment]

    def _cmp(self, relation: str, bound: Any) -> Pred:
        return Pred("cmp", self.name, relation, _plain(bound))

    @property
    def score(self) -> Score:
        """The field's value as a score."""
        return Score("field", self.name)

    def __bool__(self) -> bool:
        raise TypeError(
            f"a field has no truth value: compare it, as in f.{self.name} <= 12, or use is_() for a Bool field"
        )

    def __repr__(self) -> str:
        return f"f.{self.name}"


class _Fields:
    """Num fields by attribute or by key: ``f.price_out``, ``f["bench_coding"]``."""

    def __getattr__(self, name: str) -> NumField:
        if name.startswith("__"):
            raise AttributeError(name)
        return NumField(name)

    def __getitem__(self, name: str) -> NumField:
        return NumField(name)


class _Named:
    """One of an offer's names, to be compared with a string or with several."""

    def __init__(self, op: str) -> None:
        self._op = op

    def __eq__(self, name: object) -> Pred:  # type: ignore[override]
        return Pred(self._op, name)

    def __ne__(self, name: object) -> Pred:  # type: ignore[override]
        return ~Pred(self._op, name)

    __hash__ = None  # type: ignore[assignment]

    def is_in(self, *names: str) -> Pred:
        """Hold where the name is one of these; of none, nowhere."""
        return any_of(*(Pred(self._op, name) for name in names))

    def not_in(self, *names: str) -> Pred:
        """Hold where the name is none of these; of none, everywhere."""
        return ~self.is_in(*names)


f = _Fields()
"""Num fields: ``f.price_out <= 12``."""
provider = _Named("provider_eq")
"""The provider: ``provider.is_in("azure", "openai")``."""
family = _Named("family_eq")
"""The model family."""
served_by = _Named("served_by_eq")
"""Who serves the offer: its peer where it has one, else its provider."""
tier = _Named("tier_eq")
"""The tier."""
meets_request = Pred("meets_req")
"""The request's requirements are met."""
scope_matches = Pred("scope_matches")
"""The offer's scope, where it has one, is the request's."""
everything = Pred("top")
"""Every offer."""
nothing = Pred("bot")
"""No offer."""


def is_(field: str) -> Pred:
    """Hold where a Bool field is true."""
    return Pred("is", field)


def has(capability: str) -> Pred:
    """Hold where the offer has a capability."""
    return Pred("has_cap", capability)


def at_least(tier_name: str) -> Pred:
    """Hold where the offer's tier is this one or higher."""
    return Pred("min_tier", tier_name)


def all_of(*conditions: Pred) -> Pred:
    """Hold where every condition holds; of none, everywhere."""
    return Pred("and", *(condition.term for condition in conditions)) if conditions else everything


def any_of(*conditions: Pred) -> Pred:
    """Hold where some condition holds; of none, nowhere."""
    return Pred("or", *(condition.term for condition in conditions)) if conditions else nothing


def highest(field: str) -> Score:
    """Prefer the greatest value of a field, rescaled to 0–1 between the survivors."""
    return Score("normalize", ["field", field])


def lowest(field: str) -> Score:
    """Prefer the least value of a field, rescaled to 0–1 between the survivors.

    A survivor whose value is unknown counts as infinite for prices and latency, and then all known values tie: guard
    with ``is_("priced")`` or a ceiling.
    """
    return highest(field).reversed()


cheapest = lowest
"""`lowest`, by the name that reads well with a price."""


def blend(weights: Mapping[str, float] | None = None, /, *scores: Score) -> Score:
    """Add weighted preferences: a mapping from field to weight, a negative weight preferring low values; then
    scores.
    """
    parts = [
        (highest(field) * weight if weight >= 0 else lowest(field) * -weight)
        for field, weight in (weights or {}).items()
    ]
    terms = [part.term for part in (*parts, *scores)]
    return Score("add", *terms) if terms else Score("zero")


best_first: Json = ["argmax"]
catalog_order: Json = ["ordered"]


def sample(temperature: float) -> Json:
    """Draw the order at random by the request's seed; higher scores are favoured, the more so the lower the
    temperature.
    """
    return ["sample", _plain(temperature)]


def chain(*pairs: tuple[str, str]) -> Json:
    """Keep only these (provider, model family) pairs, in this order."""
    return ["chain", [{"provider": name, "model": model} for name, model in pairs]]


def top(k: int, selector: Json = None) -> Json:
    """Keep the first ``k`` of a selector, `argmax` unless given."""
    return ["top_k", _plain(k), best_first if selector is None else selector]


def policy(
    condition: Pred,
    score: Score | None = None,
    selector: Json = None,
    transform: Json = None,
    failure_plan: Json = None,
) -> Json:
    """Put a ``sigma-pol/v2`` policy together.

    Left out: no preference, highest score first, the request unchanged, and the next offer after any failure.
    """
    parts = [
        "policy",
        condition.term,
        ["zero"] if score is None else score.term,
        best_first if selector is None else selector,
        ["id"] if transform is None else transform,
        ["always", {"action": "next_candidate"}] if failure_plan is None else failure_plan,
    ]
    # Parts may be shared between policies and with this module: the result is the caller's own.
    return _copied(parts)


def _joined(op: str, left: list[Json], right: list[Json]) -> list[Json]:
    """Join two terms under one op without nesting, so that a long chain of operators stays shallow."""
    operands: list[Json] = []
    for term in (left, right):
        operands += term[1:] if term[0] == op else [term]
    return [op, *operands]


def _copied(value: Json) -> Json:
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    return {key: _copied(entry) for key, entry in value.items()} if isinstance(value, dict) else value


def _plain(value: Any) -> Any:
    """Turn NumPy scalars into Python numbers; leave everything else for admission to judge."""
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    return value
