"""Running programs: the only place that calls the ranking kernels."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.crew import Crew
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.observations import Framed
from tenantrank.engine.programs import Held, Programs
from tenantrank.engine.scratch import scratch_of
from tenantrank.engine.single import ranker
from tenantrank.engine.view import View
from tenantrank_kernels import Frame, bind_programs, handle_of, rank_programs

_LEAST_PIECE = 64  # programs: below that, taking the next piece is felt
_WORTH_A_THREAD = 256  # programs below which calling another thread costs more than it saves
_ZEROS = np.zeros(16384, dtype=np.int64)


class Ranked(NamedTuple):
    """Answers of ``t`` rankings as plain arrays.

    ``rows`` (t, k) int32 are catalog rows, best first, ``scores`` (t, k) doubles; of each only the first ``ranked``
    (t,) int32 count. ``survived`` (t,) int32 is how many offers passed the filter.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float64]
    ranked: NDArray[np.int32]
    survived: NDArray[np.int32]

    @classmethod
    def empty(cls, count: int, places: int) -> Ranked:
        """Make room for ``count`` answers of at most ``places`` offers each, all of which the kernel writes.

        Not filled here: whichever thread writes to a page first waits until the system has found one.
        """
        return cls(
            np.empty((count, places), dtype=np.int32),
            np.empty((count, places)),
            np.empty(count, dtype=np.int32),
            np.empty(count, dtype=np.int32),
        )

    def part(self, span: slice) -> Ranked:
        """Give some of the answers, which share their memory with the whole."""
        rows, scores, ranked, survived = self
        return Ranked(rows[span], scores[span], ranked[span], survived[span])

    def like(self, count: int) -> Ranked:
        """Make room for other answers as wide as these."""
        return Ranked.empty(count, self.rows.shape[1])

    def put(self, positions: Any, part: Ranked) -> None:
        """Write the answers of a part at its positions in the whole."""
        self.rows[positions] = part.rows
        self.scores[positions] = part.scores
        self.ranked[positions] = part.ranked
        self.survived[positions] = part.survived


class Asked(NamedTuple):
    """For each program of a batch which request it is ranked for, and its seed, reduced; may be longer than it."""

    requests: NDArray[np.int32]
    seeds: NDArray[np.int64]

    @classmethod
    def nothing(cls, count: int) -> Asked:
        """Give the first request and seed 0 for ``count`` programs; the arrays are not to be written to."""
        zeros = _ZEROS if count <= len(_ZEROS) else np.zeros(count, dtype=np.int64)
        return cls(zeros.view(np.int32), zeros)


class Ready:
    """A frame for some programs, and what single calls take, which is bound to it and to a scratch of its own.

    What it is good for may grow, and nothing else of it changes.

    Attributes
    ----------
    programs, held : the set of programs, and those of it that the frame is good for
    framed, frame, scratch : the frame as it was made; what kernels take
    token, last : the set's token, and where the last of those programs begins
    call, desk : the kernel of single calls, and the handle of frame and scratch together
    offer_ids : the catalog's
    """

    __slots__ = (
        "_desk",
        "call",
        "desk",
        "frame",
        "framed",
        "held",
        "last",
        "offer_ids",
        "programs",
        "scratch",
        "token",
    )

    def __init__(self, programs: Programs, held: Held, framed: Framed, index: CatalogIndex) -> None:
        self.programs = programs
        self.framed = framed
        self.frame = framed.frame
        self.scratch = programs.scratch_for(index.words)
        self.token = programs.token
        self.grow(held)
        self.call = ranker()
        self._desk = Frame([self.frame, self.scratch])
        self.desk = self._desk.handle
        self.offer_ids = index.catalog.offer_ids

    def grow(self, held: Held) -> None:
        """Be good for further programs, which frame and scratch are bound to already; callers exclude each other."""
        self.held = held
        self.last = held.last

    def serves(self, framed: Framed, words: int) -> bool:
        """Say whether another frame of the same set of programs is this one, and its programs need no more scratch."""
        return framed.frame is self.frame and self.programs.scratch_for(words) is self.scratch


NOT_READY = object.__new__(Ready)
"""What is good for no program."""
NOT_READY.token, NOT_READY.last = object(), -1


class Prepared:
    """One request, or several, made ready over a view: live rows, request columns and the frame that binds them.

    Safe to use from several threads.
    """

    def __init__(self, view: View, live_rows: NDArray[np.uint64], request_columns: NDArray[np.float64]) -> None:
        self.view = view
        self.live_rows = live_rows
        self.request_columns = request_columns
        self.ready: Ready | None = None
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """How much memory the request's own rows and columns take, with something for what holds them."""
        return 1024 + int(self.live_rows.nbytes + self.request_columns.nbytes)

    @classmethod
    def several(cls, parts: Sequence[Prepared]) -> Prepared:
        """Lay requests over one view end to end."""
        if len(parts) == 1:
            return parts[0]
        rows = np.concatenate([part.live_rows for part in parts])
        columns = np.concatenate([part.request_columns for part in parts])
        return cls(parts[0].view, rows, columns)

    def ready_for(self, programs: Programs, like: Framed | None = None) -> Ready:
        """Give a frame that is good for all programs there are now; it may be ``like`` one under another health."""
        ready = self.ready
        if ready is None or ready.programs is not programs or ready.held.programs != programs.count:
            with self._lock:
                ready = self.ready = self._ready_for(programs, self.ready, like)
        return ready

    def _ready_for(self, programs: Programs, before: Ready | None, like: Framed | None) -> Ready:
        view, index = self.view, self.view.index
        if before is not None and before.programs is not programs:
            before = None
        framed = view.observations.frame_of(
            programs,
            lambda: index.rows,
            self.live_rows,
            self.request_columns,
            like if before is None else before.framed,
        )
        # A new policy seldom takes more than the end of arrays that are there: what is bound to them stands.
        if before is not None and before.serves(framed, index.words):
            before.grow(framed.held)
            return before
        return Ready(programs, framed.held, framed, index)

    def ready_at(self, programs: Programs, at: int) -> Ready:
        """Give a frame that is good for the program that begins at a place, if not for those that came later."""
        ready = self.ready
        if ready is not None and ready.programs is programs and (at <= ready.last or self._grown(ready)):
            return ready
        return self.ready_for(programs)

    def _grown(self, ready: Ready) -> bool:
        """Have what is ready be good for the programs added since, where that takes no more than finding their cuts."""
        index = self.view.index
        with self._lock:
            held = self.view.observations.extended(ready.framed, ready.programs, index.rows)
            if held is None or ready.programs.scratch_for(index.words) is not ready.scratch:
                return False
            ready.grow(held)
            return True

    def apart(self, programs: Programs) -> Ready:
        """Give a frame for programs that are ranked once; nothing is kept of it."""
        index, held = self.view.index, programs.held
        frame = self.view.observations.frame(held.code, held.numbers, held.fields, index.rows, self.live_rows)
        bind_programs(frame.handle, held.begins, 0, held.programs, -1)
        return Ready(programs, held, Framed(frame, held, ()), index)


def run(
    prepared: Prepared,
    programs: Programs,
    starts: NDArray[np.int64],
    asked: Asked,
    result: Ranked,
    threads: int,
) -> None:
    """Rank programs of one version over one view; ``prepared`` and ``programs`` are the requests and the set of
    programs, the rest as in `run_ready`.
    """
    run_ready(prepared.ready_for(programs), prepared.view.index.words, starts, asked, result, threads)


def run_ready(ready: Ready, words: int, starts: NDArray[np.int64], asked: Asked, result: Ranked, threads: int) -> None:
    """Rank programs of one version.

    Parameters
    ----------
    ready, words
        a frame for the programs, and how many words a bitset has there
    starts
        where each of the programs to rank begins
    asked
        which request each is ranked for, and its seed
    result
        written; as wide as the most offers wanted for each
    threads
        the most threads to use, this one included
    """
    with Crew(worth_threads(threads, len(starts))) as crew:
        give_pieces(crew, ready, words, starts, asked, result)


def worth_threads(threads: int, programs: int) -> int:
    """Give how many threads of so many at most are worth calling to rank so many programs."""
    return max(1, min(threads, programs // _WORTH_A_THREAD))


def give_pieces(
    crew: Crew,
    ready: Ready,
    words: int,
    starts: NDArray[np.int64],
    asked: Asked,
    result: Ranked,
    behind: int = 0,
) -> None:
    """Give the ranking of programs to a crew in pieces, behind which so many others will follow.

    The rest as in `run_ready`.
    """
    total, places = result.rows.shape
    given: list[Any] = [handle_of(array) for array in (starts, *asked)]
    answers: list[Any] = [handle_of(array.reshape(-1)) for array in result]
    rank: Callable[..., None] = rank_programs
    # One list that threads go through together: to hand pieces over one by one takes as long as ranking ten programs.
    pieces = list(_pieces(total, crew.threads, behind))
    left = iter(pieces)

    def work() -> None:
        # What the kernel has addresses of lives as long as the work.
        _ = starts, asked, result
        scratch = _scratch_for(words, ready.held)
        for begin, end in left:
            if crew.failed:
                break
            rank(ready.frame.handle, scratch.handle, *given, begin, end, places, *answers)

    for _ in range(min(crew.threads, len(pieces))):
        crew.give(work)


def _pieces(total: int, threads: int, behind: int) -> Iterator[tuple[int, int]]:
    """Part so many programs among threads: large pieces first, since each costs something, then ever smaller ones.

    Programs differ in cost and threads in speed; the small ones even that out at the end of the batch, which comes
    after those behind.
    """
    begin = 0
    while begin < total:
        share = total if threads == 1 else max(_LEAST_PIECE, (total - begin + behind) // (2 * threads))
        end = min(total, begin + share)
        yield begin, end
        begin = end


_own = threading.local()


def _scratch_for(words: int, held: Held) -> Frame:
    """Give the scratch of this thread, made anew where the last one is of another size."""
    needs = (words, held.bits, held.vectors, held.ends)
    if getattr(_own, "needs", None) != needs:
        _own.needs, _own.scratch = None, scratch_of(*needs)
        _own.needs = needs
    scratch: Frame = _own.scratch
    return scratch
