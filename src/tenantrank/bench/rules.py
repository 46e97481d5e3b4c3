"""What a benchmark policy says, in the few forms that the six shapes use: what every peer is written from.

A policy's normal form is read once into a `Rule`; peers turn rules into closures, queries or programs of their own. The
reading is no second engine: a form that the shapes do not use is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from tenantrank.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Compare:
    """A number column against a bound; ``relation`` is ``le`` or ``ge``."""

    field: str
    relation: str
    bound: float


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag that is true."""

    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A provider that is one of these."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """A condition that does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions that all hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Conditions of which one holds."""

    parts: tuple[Condition, ...]


Condition: TypeAlias = Compare | Flag | OneOf | Not | Every | Some


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a score: the survivors' values of a field from 0 to 1, low ones preferred where ``reversed``."""

    weight: float
    field: str
    reversed: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy as read: its condition, and the parts whose sum, taken in order from 0, is the score."""

    condition: Condition
    parts: tuple[Part, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the score, each once, in order."""
        return tuple(dict.fromkeys(part.field for part in self.parts))

    @property
    def clauses(self) -> tuple[Condition, ...]:
        """The conditions that must all hold, in the order in which they are tried."""
        return self.condition.parts if isinstance(self.condition, Every) else (self.condition,)


def read_rule(policy: Policy) -> Rule:
    """Read a policy of the benchmark.

    Raises
    ------
    ValueError
        for a form that none of the six shapes has
    """
    _, condition, scorer, selector, *_ = policy.term
    if selector != ["argmax"]:
        raise ValueError(f"a benchmark policy selects by argmax, not {selector}")
    summands = scorer[1:] if scorer[0] == "add" else [scorer]
    return Rule(_condition(condition), tuple(_part(summand) for summand in summands))


def conditions(condition: Condition) -> Iterator[Condition]:
    """Give a condition and every one inside it, from the outside in, left to right."""
    yield condition
    if isinstance(condition, Not):
        yield from conditions(condition.part)
    elif isinstance(condition, Every | Some):
        for part in condition.parts:
            yield from conditions(part)


def _condition(term: list[Any]) -> Condition:
    match term:
        case ["cmp", str(field), ("le" | "ge") as relation, bound]:
            return Compare(field, relation, float(bound))
        case ["is" | "has_cap", str(name)]:
            return Flag(name)
        case ["provider_eq", str(name)]:
            return OneOf((name,))
        case ["not", part]:
            return Not(_condition(part))
        case ["or", *parts] if all(part[0] == "provider_eq" for part in parts):
            return OneOf(tuple(part[1] for part in parts))
        case ["or", *parts]:
            return Some(tuple(map(_condition, parts)))
        case ["and", *parts]:
            return Every(tuple(map(_condition, parts)))
    raise ValueError(f"no benchmark policy has the condition {term}")


def _part(term: list[Any]) -> Part:
    weight, inner = (term[1], term[2]) if term[0] == "scale" else (1.0, term)
    reversed_, inner = (True, inner[1]) if inner[0] == "neg" else (False, inner)
    match inner:
        case ["normalize", ["field", str(field)]]:
            return Part(float(weight), field, reversed_)
    raise ValueError(f"no benchmark policy has the score {term}")
