"""Plans: a policy as data for the kernels, instructions and numbers in place of terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tenantrank.policy.signature import Version

_OBJECTS = 3000  # bytes that a plan's Python objects take beside the contents of its arrays


@dataclass(frozen=True, eq=False)
class Plan:
    """One policy lowered onto one catalog. Holds for every health and request.

    Attributes
    ----------
    version : the language's version, which decides the columns it runs on
    code : (3 i,) int32, instructions; constants : (c,) doubles
    depth : the greatest height of either stack
    selector : `ARGMAX` … `CHAIN`; limit : how many it keeps; temperature : of `SAMPLE`
    chain_rows, chain_places : catalog rows that a `CHAIN` lists, best first, and their places counted from 1
    """

    version: Version
    code: NDArray[np.int32]
    constants: NDArray[np.float64]
    depth: int
    selector: int
    limit: int
    temperature: float
    chain_rows: NDArray[np.int32]
    chain_places: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """About how much memory the plan takes, its own batch included."""
        return _OBJECTS + 2 * (self.code.nbytes + self.constants.nbytes + 2 * self.chain_rows.nbytes)

    @cached_property
    def alone(self) -> Batch:
        """The batch of this one plan."""
        return Batch.of([self])


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Plans of one version laid end to end, as `rank_programs` takes them."""

    code: NDArray[np.int32]
    code_bounds: NDArray[np.int64]
    constants: NDArray[np.float64]
    constant_bounds: NDArray[np.int64]
    selectors: NDArray[np.int32]
    limits: NDArray[np.int64]
    temperatures: NDArray[np.float64]
    chain_rows: NDArray[np.int32]
    chain_places: NDArray[np.int32]
    chain_bounds: NDArray[np.int64]
    depth: int

    @classmethod
    def of(cls, plans: Sequence[Plan]) -> Batch:
        """Lay plans end to end, in order."""
        return cls(
            np.concatenate([plan.code for plan in plans]),
            _bounds([len(plan.code) for plan in plans]),
            np.concatenate([plan.constants for plan in plans]),
            _bounds([len(plan.constants) for plan in plans]),
            np.array([plan.selector for plan in plans], dtype=np.int32),
            np.array([plan.limit for plan in plans], dtype=np.int64),
            np.array([plan.temperature for plan in plans], dtype=np.float64),
            np.concatenate([plan.chain_rows for plan in plans]),
            np.concatenate([plan.chain_places for plan in plans]),
            _bounds([len(plan.chain_rows) for plan in plans]),
            max(plan.depth for plan in plans),
        )


def _bounds(lengths: list[int]) -> NDArray[np.int64]:
    bounds = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds
