"""Batches of policies, parted into chunks that one call of the kernel ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.compiled import Batch
from tenantrank.engine.generation import Generation
from tenantrank.engine.known import Sets
from tenantrank.engine.programs import Programs
from tenantrank.policy.arguments import listed
from tenantrank.policy.signature import V1, VERSIONS, Version
from tenantrank_kernels import opcodes as op

_CHUNK = 16384  # policies ranked by one kernel call, which bounds the memory of a batch
_REQUEST_BYTES = 64 * 1024 * 1024  # what the distinct requests of one kernel call may take

Positions = slice | NDArray[np.intp]


class Chunk(NamedTuple):
    """Policies of one version: their positions in the batch, and where the program of each begins in a set."""

    version: Version
    positions: Positions
    programs: Programs
    starts: NDArray[np.int64]


def given_of(policies: Any) -> tuple[Any, ...]:
    """Give what a caller hands over as a batch in a form that cannot change meanwhile.

    Raises
    ------
    RequestError
        for what is no list; items are looked at when their turn comes
    """
    kind = type(policies)
    if kind is tuple:
        given: tuple[Any, ...] = policies
        return given
    return tuple(policies if kind is list else listed(policies, "policies"))


def taken(values: Sequence[Any], positions: Positions) -> Sequence[Any]:
    """Give the values at some positions."""
    return values[positions] if isinstance(positions, slice) else [values[at] for at in positions.tolist()]


def chunks_of(
    policies: tuple[Any, ...], now: Generation, varied: bool = False, size: int | None = None, keep: bool = False
) -> Iterator[Chunk]:
    """Part a batch into chunks, compiling what is new when its chunk is due.

    Parameters
    ----------
    policies
        admitted or compiled ones
    now
        the generation they are ranked under
    varied
        whether each is ranked for a request of its own, of which a chunk then has no more than memory allows
    size
        the most policies to look up at a time
    keep
        whether to remember the batch, where all are of one version: none is looked up when it comes again
    """
    compiled = now.compiled
    known, addresses = compiled.remembered(policies)
    if known is not None:
        for span in _spans(len(known.starts), _size(now, known.version, varied)):
            yield Chunk(known.version, span, known.programs, known.starts[span])
        return
    located: list[Chunk] = []
    for span in _spans(len(policies), min(size or _CHUNK, _CHUNK)):
        sets, places = compiled.located(policies, addresses, span, now.view)
        for chunk in _chunks(sets, places, span.start, now, varied):
            located.append(chunk)
            yield chunk
    if keep and located and len({(chunk.version, id(chunk.programs)) for chunk in located}) == 1:
        starts = located[0].starts if len(located) == 1 else np.concatenate([chunk.starts for chunk in located])
        compiled.remember(Batch(policies, addresses, located[0].version, located[0].programs, starts))


def _chunks(sets: Sets, places: NDArray[np.int64], first: int, now: Generation, varied: bool) -> Iterator[Chunk]:
    """Part some policies of a batch, which begin at a place of it, by version; ``places`` as `located` gives them."""
    starts, which = places >> 1, places & 1
    of_second = int(np.count_nonzero(which))
    for place, (version, count) in enumerate(zip(VERSIONS, (len(places) - of_second, of_second), strict=True)):
        if count == len(places):
            for part in _spans(count, _size(now, version, varied)):
                yield Chunk(version, slice(first + part.start, first + part.stop), sets[place], starts[part])
        elif count:
            own = np.flatnonzero(which == place)
            for part in _spans(count, _size(now, version, varied)):
                yield Chunk(version, first + own[part], sets[place], starts[own[part]])


def _spans(count: int, size: int) -> list[slice]:
    return [slice(first, min(first + size, count)) for first in range(0, count, size)]


def _size(now: Generation, version: Version, varied: bool) -> int:
    """Give how many policies to rank by one kernel call, so that what their requests need stays bounded."""
    if not varied:
        return _CHUNK
    columns = op.REQUEST_COLUMNS if version == V1 else 0
    index = now.compiled.index
    each = 8 * (columns * index.width + op.LIVE_ROWS * index.words)
    return max(1, min(_CHUNK, _REQUEST_BYTES // each))
