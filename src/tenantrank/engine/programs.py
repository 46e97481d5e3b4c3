"""Programs: the plans of policies laid end to end, as kernels read them."""

from __future__ import annotations

import threading
from collections.abc import Iterable
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


class Laid(NamedTuple):
    """Programs laid end to end, to be added as they are.

    ``code`` int32 and ``numbers`` doubles are theirs alone, and the headers say where each program's numbers begin
    among these; ``starts`` (programs,) int64 are where each begins. ``fields``, ``bits``, ``vectors`` and ``ends`` as
    of `Held`.
    """

    code: NDArray[np.int32]
    numbers: NDArray[np.float64]
    starts: NDArray[np.int64]
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
            self._publish(code, numbers, starts, 1, plan)
            self.at_of[identity] = at
            return at

    def extend(self, laid: Laid, identities: Iterable[str] = ()) -> NDArray[np.int64]:
        """Add programs laid end to end; give where each begins, (programs,).

        They are found again by the identities of their policies where these are given, one for each.
        """
        with self._lock:
            held = self.held
            at, first, programs = self._code_used, self._numbers_used, len(laid.starts)
            code = _room(held.code, at, len(laid.code))
            numbers = _room(held.numbers, first, len(laid.numbers))
            starts = _room(held.starts, held.programs, programs)
            begins = laid.starts + at
            code[at : at + len(laid.code)] = laid.code
            code[begins + op.NUMBERS] += first
            numbers[first : first + len(laid.numbers)] = laid.numbers
            starts[held.programs : held.programs + programs] = begins
            self._publish(code, numbers, starts, programs, laid)
            self.at_of.update(zip(identities, begins.tolist(), strict=False))
            return begins

    def _publish(
        self,
        code: NDArray[np.int32],
        numbers: NDArray[np.float64],
        starts: NDArray[np.int64],
        programs: int,
        added: Plan | Laid,
    ) -> None:
        """Make known what was written behind the programs that there were."""
        held = self.held
        self._code_used += len(added.code)
        self._numbers_used += len(added.numbers)
        self.held = Held(
            code,
            numbers,
            starts,
            held.programs + programs,
            held.fields if held.fields.issuperset(added.fields) else held.fields.union(added.fields),
            max(held.bits, added.bits),
            max(held.vectors, added.vectors),
            max(held.ends, added.ends),
        )
        self.count = held.programs + programs


def _room(array: NDArray, used: int, more: int) -> NDArray:  # type: ignore[type-arg]
    """Give an array with room for more behind what is used; a longer copy where there is none."""
    if used + more <= len(array):
        return array
    longer = np.zeros(max(2 * len(array), used + more), dtype=array.dtype)
    longer[:used] = array[:used]
    return longer
