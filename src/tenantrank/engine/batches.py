"""Batches of policies, parted into chunks that one call of the kernel ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.compiled import Batch
from tenantrank.engine.generation import Generation
from tenantrank.engine.given import parts_of
from tenantrank.engine.programs import Programs
from tenantrank.policy.arguments import listed
from tenantrank.policy.policy import Policy
from tenantrank.policy.signature import V1, Version
from tenantrank_kernels import opcodes as op

_CHUNK = 16384  # policies ranked by one kernel call, which bounds the memory of a batch
_REQUEST_BYTES = 64 * 1024 * 1024  # what the distinct requests of one kernel call may take
_version = attrgetter("version")

Positions = slice | list[int]


class Chunk(NamedTuple):
    """Policies of one version: their positions in the batch, and where the program of each begins in a set."""

    version: Version
    positions: Positions
    programs: Programs
    starts: NDArray[np.int64]


def admitted_of(policies: Any) -> list[Policy]:
    """Give the admitted policies of a list of admitted or compiled ones.

    Raises
    ------
    RequestError
        for what is no list, and for an item that is neither
    """
    given = listed(policies, "policies")
    if set(map(type, given)) <= {Policy}:
        return given
    return [policy if type(policy) is Policy else parts_of(policy)[0] for policy in given]


def taken(values: Sequence[Any], positions: Positions) -> Sequence[Any]:
    """Give the values at some positions."""
    return values[positions] if isinstance(positions, slice) else [values[at] for at in positions]


def chunks_of(policies: Any, now: Generation, varied: bool) -> Iterator[Chunk]:
    """Part a batch into chunks, compiling what is new when its chunk is due.

    Parameters
    ----------
    policies
        admitted or compiled ones; a tuple of admitted ones of a single version is remembered
    now
        the generation they are ranked under
    varied
        whether each is ranked for a request of its own, of which a chunk then has no more than memory allows
    """
    compiled = now.compiled
    known = compiled.remembered(policies)
    if known is not None:
        for span in _spans(len(known.starts), _size(now, known.version, varied)):
            yield Chunk(known.version, span, known.programs, known.starts[span])
        return
    located: list[Chunk] = []
    given = listed(policies, "policies")
    for span in _spans(len(given), _CHUNK):
        for chunk in _chunks(admitted_of(given[span]), span.start, now, varied):
            located.append(chunk)
            yield chunk
    if type(policies) is tuple and located and len({(chunk.version, id(chunk.programs)) for chunk in located}) == 1:
        starts = np.concatenate([chunk.starts for chunk in located])
        compiled.remember(Batch(policies, located[0].version, located[0].programs, starts))


def _chunks(admitted: Sequence[Policy], first: int, now: Generation, varied: bool) -> Iterator[Chunk]:
    """Part some policies of a batch, which begin at a place of it."""
    compiled = now.compiled
    found = compiled.found(admitted)
    if found is not None:
        version, programs, starts = found
        for part in _spans(len(admitted), _size(now, version, varied)):
            yield Chunk(version, slice(first + part.start, first + part.stop), programs, starts[part])
        return
    versions = list(map(_version, admitted))
    for version in dict.fromkeys(versions):
        places = [at for at, each in enumerate(versions) if each == version]
        for part in _spans(len(places), _size(now, version, varied)):
            some = [admitted[at] for at in places[part]]
            whole = len(places) == len(admitted)
            positions = slice(first + part.start, first + part.stop) if whole else [first + at for at in places[part]]
            yield Chunk(version, positions, *compiled.starts(some, now.view(version)))


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
