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
    admitted = admitted_of(policies)
    versions = set(map(_version, admitted))
    for version in versions:
        chosen = None if len(versions) == 1 else [at for at, each in enumerate(admitted) if each.version == version]
        of_version = admitted if chosen is None else [admitted[at] for at in chosen]
        located: list[tuple[Programs, NDArray[np.int64]]] = []
        for span in _spans(len(of_version), _size(now, version, varied)):
            located.append(compiled.starts(of_version[span], now.view(version)))
            yield Chunk(version, span if chosen is None else chosen[span], *located[-1])
        if type(policies) is tuple and chosen is None and len({id(programs) for programs, _ in located}) == 1:
            starts = np.concatenate([starts for _, starts in located])
            compiled.remember(Batch(policies, version, located[0][0], starts))


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
