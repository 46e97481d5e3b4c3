"""Rejections in bulk: the first clause that each offer fails, as plain arrays."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.given import policy_of
from tenantrank.engine.index import Bits
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ready
from tenantrank.engine.single import alone
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy
from tenantrank_kernels import (
    FIRST_COUNTS,
    FIRST_OF_EVERY,
    MOST_DIGITS,
    Frame,
    clause_fails,
    entry_point,
    fail_counts,
    first_failing,
    frames,
    handle_of,
    turned_away,
)
from tenantrank_kernels import opcodes as op

if TYPE_CHECKING:
    from tenantrank.engine.envelope import Envelope
    from tenantrank.engine.generation import Generation
    from tenantrank.tenants import CompiledPolicy

_FEWEST_CLAUSES = 32  # that there is room for, so that most policies find it
_MOST_KEPT = 1 << 22  # bytes; where more is needed, making room takes no longer than the work

_MOST_PARTS = 256  # of an array that are kept at hand


class Rejections(NamedTuple):
    """What a filter turns away, clause by clause, each offer counted at the first clause it fails.

    Attributes
    ----------
    clauses : canonical text of each clause, in the order tried; a request's needs are one clause
    counts : (clauses,) int32, how many offers it is the first to turn away
    first : (offers,) uint16, the place of the first clause that an offer fails, ``len(clauses)`` where it passes all
    """

    clauses: tuple[str, ...]
    counts: NDArray[np.int32]
    first: NDArray[np.uint16]


def located(now: Generation, policy: Policy, request: Request) -> tuple[Ready, int]:
    """Give a frame that is good for an admitted policy, and where its program begins; compiled on first use."""
    prepared = now.prepared_for(policy, request)
    programs, at = now.compiled.program(policy, prepared.view)
    return prepared.ready_at(programs, at), at


def rejected(ready: Ready, at: int, policy: Policy | CompiledPolicy, envelope: Envelope) -> Rejections:
    """Find what a policy's filter turns away, whose program begins at a place of the code; see `Rejections`."""
    admitted = policy if type(policy) is Policy else policy_of(policy)
    if envelope.term is None:
        texts = admitted.clause_texts
    else:
        texts = tuple([clause.encoding for clause in clauses_of(envelope.effective(admitted))])
    counts, first = counts_and_first_of(ready, at)
    # In half the time of calling the class.
    return tuple.__new__(Rejections, (texts, counts, first))


def counts_of(ready: Ready, at: int, wanted: int = FIRST_COUNTS) -> NDArray[np.int32]:
    """Count the offers that each clause of a program is the first to turn away, (clauses,).

    With `OWN_COUNTS` those that fail each clause on its own.
    """
    room, clauses = _worked_out(ready, at, wanted)
    counts = room.counts[clauses].copy()
    if room.kept:
        _rooms.append(room)
    return counts


def counts_and_first_of(ready: Ready, at: int) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
    """Give these counts, and the place of the first clause that each offer fails, as in `Rejections`."""
    room, clauses = _worked_out(ready, at, FIRST_OF_EVERY)
    found = room.counts[clauses].copy(), room.first[len(ready.offer_ids)].copy()
    if room.kept:
        _rooms.append(room)
    return found


def fails_of(ready: Ready, at: int) -> Bits:
    """Find the offers that fail each clause of a program, each clause on its own, (clauses, words)."""
    clauses, words = _size(ready, at)
    found = np.empty(clauses * words, dtype=np.uint64)
    with alone():
        _entry(clause_fails, 3)(ready.desk, at, handle_of(found))
    return found.reshape(clauses, words)


def first_of(fails: Bits, offers: int) -> NDArray[np.uint16]:
    """Find the place of the first clause that each of so many offers fails, ``len(fails)`` where it fails none.

    ``fails`` (clauses, words) are the offers that fail each clause; of one clause at least.
    """
    clauses, words = fails.shape
    # Bound to a name, since a kernel takes addresses, which keep nothing alive.
    flat = fails.reshape(-1)
    first = np.empty(64 * words, dtype=np.uint16)
    _entry(first_failing, 4)(handle_of(flat), clauses, words, handle_of(first))
    return first[:offers]


def fail_counts_of(fails: Bits, unknown: Bits) -> NDArray[np.int32]:
    """Count for each clause the offers that fail it, those that fail no other, and those that fail it as unknown.

    Both are (clauses, words), of one clause at least; the answer is (3, clauses).
    """
    clauses, words = fails.shape
    failing, unsure = fails.reshape(-1), unknown.reshape(-1)
    counts = np.empty(3 * clauses, dtype=np.int32)
    _entry(fail_counts, 5)(handle_of(failing), handle_of(unsure), clauses, words, handle_of(counts))
    return counts.reshape(3, clauses)


class _Parts(dict[int, NDArray[Any]]):
    """The first so many of an array, by how many: a part that is at hand is copied in half the time."""

    def __init__(self, whole: NDArray[Any]) -> None:
        self._whole = whole

    def __missing__(self, size: int) -> NDArray[Any]:
        if len(self) == _MOST_PARTS:
            self.clear()
        part = self[size] = self._whole[:size]
        return part


class _Room:
    """Memory that rejections are worked out in, for so many clauses over bitsets of so many words.

    ``handle`` is what the kernel takes in its place, and ``find`` the shortest way to call it; ``counts`` and ``first``
    are what it writes, to be copied. Making it takes longer than the work, so that it is ``kept``; who takes it from
    what is kept has it alone.
    """

    __slots__ = ("_frame", "counts", "find", "first", "handle", "kept")

    def __init__(self, clauses: int, words: int) -> None:
        counts, first = np.empty(clauses, dtype=np.int32), np.empty(64 * words, dtype=np.uint16)
        digits = np.empty(min(clauses.bit_length(), MOST_DIGITS) * words, dtype=np.uint64)
        self._frame = Frame([clauses, words, counts, digits, first])
        self.handle = self._frame.handle
        self.find = _finder()
        self.counts, self.first = _Parts(counts), _Parts(first)
        self.kept = counts.nbytes + digits.nbytes + first.nbytes <= _MOST_KEPT


_rooms: list[_Room] = []
_entry = cache(entry_point)


@cache
def _finder() -> Any:
    """Give the shortest way to call `turned_away`."""
    return _one_at_a_time if frames.PLAIN else entry_point(turned_away, 4)


def _one_at_a_time(*arguments: Any) -> int:
    with alone():
        return int(turned_away(*arguments))


def _size(ready: Ready, at: int) -> tuple[int, int]:
    """Give how many clauses a program has, and how many words its bitsets."""
    return int(ready.held.code.item(at + op.CLAUSES)), int(ready.frame.entries[frames.WORDS])


def _worked_out(ready: Ready, at: int, wanted: int) -> tuple[_Room, int]:
    """Give memory in which what is wanted of `turned_away` was worked out, and for how many clauses."""
    try:
        room = _rooms.pop()
    except IndexError:
        pass
    else:
        clauses = room.find(ready.desk, at, room.handle, wanted)
        if clauses:
            return room, clauses
    clauses, words = _size(ready, at)
    room = _Room(max(clauses, _FEWEST_CLAUSES), words)
    return room, room.find(ready.desk, at, room.handle, wanted)
