"""A workload: one synthetic catalog and the policies to rank it by, the same on every machine for the same seed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import numpy.typing as npt

from tenantrank.bench.offers import FLAGS, NUMBERS, synthetic_catalog
from tenantrank.bench.policies import terms
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Rule, Some, read_rule
from tenantrank.catalog import Catalog
from tenantrank.policy.policy import Policy, admit

K = 5
"""How many offers each ranking gives."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Columns:
    """A catalog as policies see it: plain arrays, (offers,), defaults in place of what is not known.

    Attributes
    ----------
    numbers : float64 by field; flags : bool by field; providers : int32 codes; names : the provider of each code
    """

    numbers: dict[str, npt.NDArray[np.float64]]
    flags: dict[str, Mask]
    providers: npt.NDArray[np.int32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.providers)

    def codes(self, names: tuple[str, ...]) -> list[int]:
        """Give the codes of those providers that have offers."""
        return [code for code, name in enumerate(self.names) if name in names]


def read_columns(catalog: Catalog) -> Columns:
    """Read the columns of a synthetic catalog."""
    numbers = {name: np.nan_to_num(catalog.numbers(name), nan=catalog.fields[name].default) for name in NUMBERS}
    flags = {name: catalog.flags(name) == 1 for name in FLAGS}
    return Columns(numbers, flags, *catalog.strings("provider_id"))


@dataclass(frozen=True, eq=False)
class Workload:
    """A catalog and the policies to rank it by.

    Attributes
    ----------
    mix : the name of the mix of shapes; seed : decides catalog and policies
    """

    mix: str
    seed: int
    catalog: Catalog
    policies: tuple[Policy, ...]

    @classmethod
    def make(cls, mix: str, offers: int, policies: int, seed: int = 1, catalog: Catalog | None = None) -> Workload:
        """Make one; ``catalog`` saves making the synthetic one of this size and seed again."""
        made = synthetic_catalog(offers, seed) if catalog is None else catalog
        admitted = (admit(term, made.fields) for term in islice(terms(mix, seed), policies))
        return cls(mix, seed, made, tuple(admitted))

    def first(self, count: int) -> Workload:
        """Give the same work with its first policies only."""
        return (
            self if count >= len(self.policies) else Workload(self.mix, self.seed, self.catalog, self.policies[:count])
        )

    @cached_property
    def columns(self) -> Columns:
        """The catalog's columns as arrays."""
        return read_columns(self.catalog)

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The policies as read."""
        return tuple(map(read_rule, self.policies))

    @property
    def digest(self) -> str:
        """The sha256 of catalog and policies, by which two runs know that they ranked the same."""
        digest = hashlib.sha256(self.catalog.catalog_id.encode())
        for policy in self.policies:
            digest.update(policy.identity.encode())
        return digest.hexdigest()


def passing(condition: Condition, columns: Columns) -> Mask:
    """Give the offers that pass a condition, the obvious way."""
    match condition:
        case Compare(field, relation, bound):
            values = columns.numbers[field]
            return values <= bound if relation == "le" else values >= bound
        case Flag(name):
            return columns.flags[name]
        case OneOf(names):
            return np.isin(columns.providers, columns.codes(names))
        case Not(part):
            return ~passing(part, columns)
        case Every(parts):
            every: Mask = np.all([passing(part, columns) for part in parts], axis=0)
            return every
        case Some(parts):
            some: Mask = np.any([passing(part, columns) for part in parts], axis=0)
            return some


def unguarded(work: Workload) -> list[int]:
    """Give the positions of policies that let an offer pass whose value in a ranked field is infinite."""
    infinite = {name: np.isinf(values) for name, values in work.columns.numbers.items()}
    return [
        at
        for at, rule in enumerate(work.rules)
        if any((passing(rule.condition, work.columns) & infinite[field]).any() for field in rule.fields)
    ]
