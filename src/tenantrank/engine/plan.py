"""Plans: a policy as data for the kernels, instructions and numbers in place of terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tenantrank.policy.signature import Version


class Plan(NamedTuple):
    """One policy lowered onto one catalog. Holds for every health and request.

    Attributes
    ----------
    version : the language's version, which decides the columns it runs on
    code : a program as `tenantrank_kernels.opcodes` describes it; where its numbers begin is left 0
    numbers : its numbers, the temperature first
    fields : the columns that it compares or ranks by
    bits, vectors : the greatest height of either stack; ends : how many ends or parts it has
    bounds : where the numbers of each clause of the filter begin, and where those of the last one end
    """

    version: Version
    code: Sequence[int]
    numbers: Sequence[float]
    fields: frozenset[int]
    bits: int
    vectors: int
    ends: int
    bounds: Sequence[int] = ()
