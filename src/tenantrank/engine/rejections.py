"""Rejections in bulk: the first clause that each offer fails, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.given import parts_of, request_of
from tenantrank.engine.index import Bits, CatalogIndex
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ready
from tenantrank.engine.single import alone
from tenantrank.policy.normal_form import clauses_of
from tenantrank.policy.policy import Policy
from tenantrank_kernels import clause_counts, clause_fails, entry_point, fail_counts, first_failing, handle_of
from tenantrank_kernels import opcodes as op

if TYPE_CHECKING:
    from tenantrank.engine.generation import Generation
    from tenantrank.tenants import CompiledPolicy

_FEWEST_CLAUSES = 32  # that there is room for, so that most policies find it
_MOST_KEPT = 1 << 19  # words; for more clauses and offers making room takes no longer than the work


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


class Filtering(NamedTuple):
    """The filter of one policy's program over a catalog, ready to be run."""

    ready: Ready
    at: int
    catalog: CatalogIndex

    @classmethod
    def of(cls, now: Generation, policy: Policy, request: Request) -> Filtering:
        """Give the filter of an admitted policy, compiled on first use."""
        prepared = now.prepared_for(policy, request)
        programs, at = now.compiled.program(policy, prepared.view)
        return cls(prepared.ready_for(programs), at, prepared.view.index)

    @property
    def clauses(self) -> int:
        """How many clauses it has."""
        return int(self.ready.held.code.item(self.at + op.CLAUSES))

    def fails(self) -> Bits:
        """Find the offers that fail each clause, each clause on its own, (clauses, words)."""
        clauses, words = self.clauses, self.catalog.words
        fails = np.empty(clauses * words, dtype=np.uint64)
        self._run(clause_fails, handle_of(fails))
        return fails.reshape(clauses, words)

    def counts(self) -> NDArray[np.int32]:
        """Count the offers that each clause is the first to turn away, (clauses,)."""
        clauses = self.clauses
        room = _room_for(clauses, 0)
        self._run(clause_counts, room.at_counts)
        counts = room.counts[:clauses].copy()
        _keep(room)
        return counts

    def rejections(self) -> tuple[NDArray[np.int32], NDArray[np.uint16]]:
        """Give these counts, and the place of the first clause that each offer fails, as in `Rejections`."""
        clauses, words = self.clauses, self.catalog.words
        room = _room_for(clauses, words)
        self._run(clause_fails, room.at_fails)
        _entry(first_failing, 5)(room.at_fails, clauses, words, room.at_first, room.at_counts)
        found = room.counts[:clauses].copy(), room.first[: self.catalog.size].copy()
        _keep(room)
        return found

    def _run(self, kernel: Any, result: Any) -> None:
        ready = self.ready
        with alone():
            _entry(kernel, 4)(ready.frame.handle, ready.scratch.handle, self.at, result)


def rejected(
    now: Generation, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None
) -> Rejections:
    """Find what a policy's filter turns away; see `Rejections`."""
    admitted = policy if type(policy) is Policy else parts_of(policy)[0]
    counts, first = Filtering.of(now, admitted, request_of(request)).rejections()
    envelope = now.compiled.envelope
    clauses = admitted.clauses if envelope.term is None else clauses_of(envelope.effective(admitted))
    return Rejections(tuple([clause.encoding for clause in clauses]), counts, first)


def counted(
    now: Generation, policy: Policy | CompiledPolicy, request: Mapping[str, Any] | Request | None
) -> NDArray[np.int32]:
    """Count the offers that each clause of a policy's filter is the first to turn away, (clauses,)."""
    admitted = policy if type(policy) is Policy else parts_of(policy)[0]
    return Filtering.of(now, admitted, request_of(request)).counts()


def first_of(fails: Bits, offers: int) -> NDArray[np.uint16]:
    """Find the place of the first clause that each of so many offers fails, ``len(fails)`` where it fails none.

    ``fails`` (clauses, words) are the offers that fail each clause; of one clause at least.
    """
    clauses, words = fails.shape
    # Bound to a name, since a kernel takes addresses, which keep nothing alive.
    flat = fails.reshape(-1)
    counts, first = np.empty(clauses, dtype=np.int32), np.empty(64 * words, dtype=np.uint16)
    _entry(first_failing, 5)(handle_of(flat), clauses, words, handle_of(first), handle_of(counts))
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


class _Room:
    """Memory that rejections are worked out in, for so many clauses over bitsets of so many words.

    ``at_counts``, ``at_fails`` and ``at_first`` are what kernels take in its place. Making it takes longer than the
    work, so that it is kept; who takes it from what is kept has it alone.
    """

    __slots__ = ("at_counts", "at_fails", "at_first", "clauses", "counts", "fails", "first", "words")

    def __init__(self, clauses: int, words: int) -> None:
        self.clauses = clauses
        self.words = words
        self.counts = np.empty(clauses, dtype=np.int32)
        self.fails = np.empty(clauses * words, dtype=np.uint64)
        self.first = np.empty(64 * words, dtype=np.uint16)
        self.at_counts, self.at_fails, self.at_first = map(handle_of, (self.counts, self.fails, self.first))


_rooms: list[_Room] = []
_entry = cache(entry_point)


def _room_for(clauses: int, words: int) -> _Room:
    try:
        room = _rooms.pop()
    except IndexError:
        pass
    else:
        if room.clauses >= clauses and room.words >= words:
            return room
    return _Room(max(clauses, _FEWEST_CLAUSES), words)


def _keep(room: _Room) -> None:
    if len(room.fails) <= _MOST_KEPT:
        _rooms.append(room)
