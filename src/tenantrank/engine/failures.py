"""What a clause does to a catalog, and what one offer fails and passes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tenantrank.engine.atoms import Atom
from tenantrank.tenants.origin import Origin, attributed


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of the effective filter over the whole catalog.

    Attributes
    ----------
    encoding : its canonical text; words : the same as a line of plain English
    origins : the rules that asked for it; empty for a policy that no rulebook compiled
    failed : how many offers fail it; alone : how many fail it and no other clause
    unknown : how many of those that fail it do so because something is not known of them: they would pass if that were
        as the clause wants it
    """

    encoding: str
    words: str
    origins: tuple[Origin, ...]
    failed: int
    alone: int
    unknown: int

    def __str__(self) -> str:
        return attributed(self.words, self.origins)

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value; its canonical text is the member ``clause``."""
        return {
            "clause": self.encoding,
            "words": self.words,
            "origins": [{"rule": each.rule, "field": each.field, "value": each.value} for each in self.origins],
            "failed": self.failed,
            "alone": self.alone,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class Met:
    """One clause that one offer passes, or of what the request needs, one need."""

    clause: Clause
    look: Callable[[], tuple[Atom, ...]] = field(repr=False, compare=False)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The conditions that it is made of, one or several, each with the value observed and where that comes from."""
        return self.look()

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value, with the conditions that it is made of."""
        atoms = [atom.to_json() for atom in self.atoms]
        return {"clause": self.clause.encoding, "words": self.clause.words, "atoms": atoms}


@dataclass(frozen=True, slots=True)
class Failure:
    """One clause that one offer fails, or of what the request needs, one need.

    Attributes
    ----------
    clause : the clause; reason : as the language gives it
    bound, observed : what the offer is held against, and what the policy saw; ``None`` where nothing is known, and
        where the clause is made of several conditions
    """

    clause: Clause
    reason: str
    bound: Any
    observed: Any
    look: Callable[[], tuple[Atom, ...]] = field(repr=False, compare=False)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The conditions that it is made of, one or several, each with the value observed and where that comes from."""
        return self.look()

    def to_json(self) -> dict[str, Any]:
        """Give it as a JSON value, with the conditions that it is made of; a number that JSON lacks is null."""
        infinite = isinstance(self.observed, float) and not math.isfinite(self.observed)
        return {
            "clause": self.clause.encoding,
            "words": self.clause.words,
            "reason": self.reason,
            "bound": self.bound,
            "observed": None if infinite else self.observed,
            "atoms": [atom.to_json() for atom in self.atoms],
        }
