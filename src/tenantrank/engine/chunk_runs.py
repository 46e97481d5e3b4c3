"""Chunks of a batch ranked; policies that read what calls cost are parted by the tokens of their requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tenantrank.catalog.costs import Tokens
from tenantrank.engine.batches import Chunk, Positions, chunks_of, taken
from tenantrank.engine.crew import Crew
from tenantrank.engine.generation import Generation
from tenantrank.engine.given import NO_REQUEST, admitted_of
from tenantrank.engine.request import Request
from tenantrank.engine.running import Asked, Prepared, Ranked, give_pieces, run, worth_threads

_LOOKED_UP = 4096  # policies that are looked up at a time, while other threads rank those before


def rank_plain(now: Generation, policies: tuple[Any, ...], result: Ranked, threads: int, keep: bool) -> None:
    """Rank policies for the request that asks for nothing; this thread looks up while others rank, and then helps.

    Parameters
    ----------
    now
        the generation they are ranked under
    policies
        admitted or compiled ones
    result
        written
    threads
        the most threads to use
    keep
        whether to remember the batch
    """
    apart: list[tuple[Positions, Ranked]] = []
    behind = len(policies)
    threads = worth_threads(threads, behind)
    with Crew(threads) as crew:
        for chunk in chunks_of(policies, now, size=None if threads == 1 else _LOOKED_UP, keep=keep):
            prepared, count, at = now.plain(chunk.version), len(chunk.starts), chunk.positions
            behind -= count
            if count == len(policies):
                part = result
            elif isinstance(at, slice):
                part = result.part(at)
            else:
                part = result.like(count)
                apart.append((at, part))
            ready, words = prepared.ready_for(chunk.programs), prepared.view.index.words
            give_pieces(crew, ready, words, chunk.starts, Asked.nothing(count), part, behind)
    for positions, part in apart:
        result.put(positions, part)


def rank_chunk(
    now: Generation,
    chunk: Chunk,
    policies: Sequence[object],
    requests: Sequence[Request] | None,
    seeds: Sequence[int] | None,
    result: Ranked,
    threads: int,
) -> None:
    """Rank the policies of a chunk, each for its own request.

    Parameters
    ----------
    now
        the generation they are ranked under
    chunk, policies
        the chunk, and the policies of the batch, admitted or compiled ones
    requests, seeds
        one for each policy of the chunk, or ``None``; seeds are reduced
    result
        written
    threads
        the most threads to use
    """
    for tokens, places in _by_tokens(now, chunk, policies, requests):
        if places is None:
            _rank(now, chunk, requests, seeds, result, threads, tokens)
            continue
        part = result.like(len(places))
        some = Chunk(chunk.version, np.array(places), chunk.programs, chunk.starts[places])
        asked = None if requests is None else [requests[place] for place in places]
        drawn = None if seeds is None else [seeds[place] for place in places]
        _rank(now, some, asked, drawn, part, threads, tokens)
        result.put(places, part)


def _by_tokens(
    now: Generation, chunk: Chunk, policies: Sequence[object], requests: Sequence[Request] | None
) -> Iterator[tuple[Tokens | None, list[int] | None]]:
    """Part a chunk by what its calls are estimated to take, where its policies read what that costs.

    One view of the offers knows the costs of one estimate. Places are ``None`` for the whole chunk.
    """
    if requests is None or all(request.estimated_input_tokens is None for request in requests):
        yield None, None
        return
    parts: dict[Tokens | None, list[int]] = {}
    for place, (policy, request) in enumerate(
        zip(admitted_of(taken(policies, chunk.positions)), requests, strict=True)
    ):
        parts.setdefault(now.tokens_for(policy, request), []).append(place)
    whole = len(parts) == 1
    yield from ((tokens, None if whole else places) for tokens, places in parts.items())


def _rank(
    now: Generation,
    chunk: Chunk,
    requests: Sequence[Request] | None,
    seeds: Sequence[int] | None,
    result: Ranked,
    threads: int,
    tokens: Tokens | None,
) -> None:
    version, _, programs, starts = chunk
    distinct = [NO_REQUEST] if requests is None else list(dict.fromkeys(requests))
    place_of = {request: place for place, request in enumerate(distinct)}
    asked = Asked.nothing(len(starts))
    if requests is not None:
        asked = asked._replace(requests=np.array([place_of[request] for request in requests], dtype=np.int32))
    if seeds is not None:
        asked = asked._replace(seeds=np.array(seeds, dtype=np.int64))
    prepared = Prepared.several([now.prepared(version, request, tokens) for request in distinct])
    run(prepared, programs, starts, asked, result, threads)
