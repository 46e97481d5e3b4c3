"""Programs: the plans of policies laid end to end, as kernels read them."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.plan import Plan
from tenantrank.engine.scratch import scratch_of
from tenantrank_kernels import Frame
from tenantrank_kernels import opcodes as op

_FIRST_CAPACITY = 4096


class Held(NamedTuple):
    """The programs there are.

    ``code`` int32 and ``numbers`` doubles may be longer than what is used; ``starts`` int64 are where the first
    ``programs`` of them begin. ``fields`` are the columns that any of them compares or ranks by. ``bits``, ``vectors``
    and ``ends`` are the most that any of them needs of the stacks, and of ends and parts.
    """

    code: NDArray[np.int32]
    numbers: NDArray[np.float64]
    starts: NDArray[np.int64]
    programs: int
    fields: frozenset[int]
    bits: int
    vectors: int
    ends: int


class Programs:
    """A growing set of programs of one version. Safe to use from several threads.

    Attributes
    ----------
    held : the programs there are; count : how many
    at_of : where the program of a policy begins, by the policy's identity
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._code_used = 0
        self._numbers_used = 0
        self.at_of: dict[str, int] = {}
        self.held = Held(
            np.zeros(_FIRST_CAPACITY, dtype=np.int32),
            np.zeros(_FIRST_CAPACITY, dtype=np.float64),
            np.zeros(_FIRST_CAPACITY, dtype=np.int64),
            0,
            frozenset(),
            2,
            2,
            1,
        )
        self.count = 0
        self._scratch: tuple[tuple[int, ...], Frame] | None = None

    @property
    def nbytes(self) -> int:
        """How much memory the programs take, their cuts for one set of observations included."""
        return 4 * self._code_used + 12 * self._numbers_used + 8 * self.count

    def scratch_for(self, words: int) -> Frame:
        """Give the scratch of single calls, large enough for the programs there are; it has one user at a time."""
        held = self.held
        needs = (words, held.bits, held.vectors, held.ends)
        scratch = self._scratch
        if scratch is None or scratch[0] != needs:
            self._scratch = scratch = (needs, scratch_of(*needs))
        return scratch[1]

    def add(self, identity: str, plan: Plan) -> int:
        """Add the program of a policy; give where it begins."""
        with self._lock:
            held = self.held
            at, first = self._code_used, self._numbers_used
            code = _room(held.code, at, len(plan.code))
            numbers = _room(held.numbers, first, len(plan.numbers))
            starts = _room(held.starts, held.programs, 1)
            code[at : at + len(plan.code)] = plan.code
            code[at + op.NUMBERS] = first
            numbers[first : first + len(plan.numbers)] = plan.numbers
            starts[held.programs] = at
            self._code_used += len(plan.code)
            self._numbers_used += len(plan.numbers)
            fields = held.fields if held.fields.issuperset(plan.fields) else held.fields.union(plan.fields)
            self.held = Held(
                code,
                numbers,
                starts,
                held.programs + 1,
                fields,
                max(held.bits, plan.bits),
                max(held.vectors, plan.vectors),
                max(held.ends, plan.ends),
            )
            self.count = held.programs + 1
            self.at_of[identity] = at
            return at


def _room(array: NDArray, used: int, more: int) -> NDArray:  # type: ignore[type-arg]
    """Give an array with room for more behind what is used; a longer copy where there is none."""
    if used + more <= len(array):
        return array
    longer = np.zeros(max(2 * len(array), used + more), dtype=array.dtype)
    longer[:used] = array[:used]
    return longer
