"""Programs: the plans of policies laid end to end, as kernels read them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.plan import Plan
from tenantrank.engine.scratch import scratch_of
from tenantrank_kernels import Frame, handle_of
from tenantrank_kernels import opcodes as op

_FIRST_CAPACITY = 4096
_PACKERS_KEPT = 1024
_new = tuple.__new__


class Held(NamedTuple):
    """The programs there are.

    ``code`` int32 and ``numbers`` doubles may be longer than what is used; ``starts`` int64 are where the first
    ``programs`` of them begin, the last of which at ``last``, and ``begins`` is what a kernel takes in their place.
    ``fields`` are the columns that any of them compares or ranks by. ``bits``, ``vectors`` and ``ends`` are the most
    that any of them needs of the stacks, and of ends and parts.
    """

    code: NDArray[np.int32]
    numbers: NDArray[np.float64]
    starts: NDArray[np.int64]
    begins: Any
    programs: int
    last: int
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
    token : what stands for this set where it shall not be kept alive
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.token = object()
        self._code = _Arena(np.int32, "i")
        self._numbers = _Arena(np.float64, "d")
        self._starts = _Arena(np.int64, "q")
        self.at_of: dict[str, int] = {}
        code, numbers, starts = self._code.array, self._numbers.array, self._starts
        self.held = Held(code, numbers, starts.array, starts.handle, 0, -1, frozenset(), 2, 2, 1)
        self.count = 0
        self._scratch: tuple[tuple[int, ...], Frame] | None = None

    @property
    def nbytes(self) -> int:
        """How much memory the programs take, their cuts for one set of observations included."""
        return 4 * self._code.used + 12 * self._numbers.used + 8 * self.count

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
            self._forget_unpublished()
            code = self._code
            at = code.append(plan.code)
            code.items[at + op.NUMBERS] = self._numbers.append(plan.numbers)
            self._starts.put(at)
            self._publish(at, plan)
            self.at_of[identity] = at
            return at

    def extend(self, laid: Laid, identities: Iterable[str] = ()) -> NDArray[np.int64]:
        """Add programs laid end to end; give where each begins, (programs,).

        They are found again by the identities of their policies where these are given, one for each.
        """
        with self._lock:
            self._forget_unpublished()
            begins = laid.starts + self._code.used
            code = laid.code.copy()
            code[laid.starts + op.NUMBERS] += self._numbers.used
            self._code.extend(code)
            self._numbers.extend(laid.numbers)
            self._starts.extend(begins)
            self._publish(int(begins[-1]) if len(begins) else self.held.last, laid)
            self.at_of.update(zip(identities, begins.tolist(), strict=False))
            return begins

    def copy(self) -> Programs:
        """Give a set of its own with the same programs at the same places, but for those that are added later."""
        other = Programs()
        with self._lock:
            other._code = self._code.copy()
            other._numbers = self._numbers.copy()
            other._starts = self._starts.copy()
            other.at_of = self.at_of.copy()
            other.held = self.held._replace(
                code=other._code.array,
                numbers=other._numbers.array,
                starts=other._starts.array,
                begins=other._starts.handle,
            )
            other.count = self.count
        return other

    def _forget_unpublished(self) -> None:
        """Drop programs that an interrupt left behind those that are known."""
        self._starts.used = self.held.programs

    def _publish(self, last: int, added: Plan | Laid) -> None:
        """Make known what was written behind the programs that there were, and where the last of it begins."""
        starts = self._starts
        count = starts.used
        _, _, _, _, _, _, fields, bits, vectors, ends = self.held
        if not fields.issuperset(added.fields):
            fields = fields.union(added.fields)
        if bits < added.bits:
            bits = added.bits
        if vectors < added.vectors:
            vectors = added.vectors
        if ends < added.ends:
            ends = added.ends
        code, numbers = self._code.array, self._numbers.array
        self.held = _new(Held, (code, numbers, starts.array, starts.handle, count, last, fields, bits, vectors, ends))
        self.count = count


@lru_cache(_PACKERS_KEPT)
def _packer(letter: str, count: int) -> Callable[..., None]:
    """Give what writes so many numbers of a kind, as the struct module calls it, to memory."""
    return Struct(f"{count}{letter}").pack_into


class _Arena:
    """An array that is written at its end; where it is full, a longer copy, so that who holds the array keeps it.

    Attributes
    ----------
    array : the array; used : how much of it is; handle : what a kernel takes in its place
    items : its memory, to which one number is written in a fifth of the time that NumPy takes
    """

    __slots__ = ("_letter", "_room", "_size", "array", "handle", "items", "used")

    def __init__(self, kind: type, letter: str) -> None:
        self._letter = letter  # of the kind, as the struct module calls it
        self.used = 0
        self._hold(np.zeros(_FIRST_CAPACITY, dtype=kind))

    def _hold(self, longer: NDArray[Any]) -> None:
        items, handle = memoryview(longer.data), handle_of(longer)
        # All at once: what an interrupt left between them would be written to one and read from another.
        room, size = len(longer), longer.itemsize
        self.array, self.items, self.handle, self._room, self._size = longer, items, handle, room, size

    def copy(self) -> _Arena:
        """Give another with the same in it."""
        other = object.__new__(_Arena)
        other._letter, other.used = self._letter, self.used
        other._hold(self.array.copy())
        return other

    def append(self, values: Sequence[float]) -> int:
        """Write plain numbers at the end; give where they begin."""
        at, count = self.used, len(values)
        if at + count > self._room:
            self._lengthen(at + count)
        self.used = at + count  # once there is room: no memory for it leaves all as it was
        # In half of the time that NumPy takes to read a list.
        _packer(self._letter, count)(self.items, at * self._size, *values)
        return at

    def put(self, value: int) -> None:
        """Write one integer at the end."""
        at = self.used
        if at == self._room:
            self._lengthen(at + 1)
        self.used = at + 1
        self.items[at] = value

    def extend(self, values: NDArray[Any]) -> None:
        """Write an array at the end."""
        at, end = self.used, self.used + len(values)
        if end > self._room:
            self._lengthen(end)
        self.used = end
        self.array[at:end] = values

    def _lengthen(self, end: int) -> None:
        longer = np.zeros(max(2 * self._room, end), dtype=self.array.dtype)
        longer[: self.used] = self.array[: self.used]
        self._hold(longer)
