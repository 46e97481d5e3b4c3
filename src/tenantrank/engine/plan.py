"""Plans: a policy as data for the kernels, instructions and numbers in place of terms."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from tenantrank.policy.signature import Version
from tenantrank_kernels import opcodes as op


class Plan(NamedTuple):
    """One policy lowered onto one catalog. Holds for every health and request.

    Attributes
    ----------
    version : the language's version, which decides the columns it runs on
    code : a program as `tenantrank_kernels.opcodes` describes it; where its numbers begin is left 0
    numbers : its numbers, the temperature first
    fields : the columns that it compares or ranks by
    bits, vectors : the greatest height of either stack; ends : how many ends or parts it has
    """

    version: Version
    code: Sequence[int]
    numbers: Sequence[float]
    fields: Set[int]
    bits: int
    vectors: int
    ends: int

    def bounds(self) -> list[int]:
        """Give where the numbers of each clause of the filter begin, and where those of the last one end."""
        code, found = self.code, [1]
        at = op.HEADER
        clauses = at + 3 * (code[op.FILTER] + code[op.SCORE] + code[op.ENDS])
        for end in code[clauses : clauses + code[op.CLAUSES]]:
            # Each comparison has a number, behind those of the comparisons before it.
            sources = [operation & op.SOURCE for operation in code[at : op.HEADER + 3 * end : 3]]
            found.append(found[-1] + sources.count(op.LE) + sources.count(op.LT))
            at = op.HEADER + 3 * end
        return found
