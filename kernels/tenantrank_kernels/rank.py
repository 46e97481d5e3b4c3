"""The main job: programs over one catalog, each filtered, scored and ordered."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import brief_kernel, kernel, part
from tenantrank_kernels.blends import blend_scores, candidates
from tenantrank_kernels.conditions import only_offers, pass_conditions
from tenantrank_kernels.machine import doubles, integers, longs, lowest, table, words
from tenantrank_kernels.monotone import UNDECIDED, walk
from tenantrank_kernels.orders import passes
from tenantrank_kernels.scores import find_ends, scored
from tenantrank_kernels.selection import best_first, sampled

_FEW = 64  # survivors that are scored all, whatever the scorer
_MOST = 48  # places for which the bound of a blend pays


@part
def first_rows(frame: Any, mask: Any, wanted: int, rows: Any) -> None:
    """Write the first rows of a bitset, ascending, as many as are wanted and no more than it has."""
    found = 0
    for w in range(table(frame)[at_.WORDS]):
        bits = mask[w]
        while bits:
            if found == wanted:
                return
            rows[found] = w * 64 + lowest(bits)
            found += 1
            bits &= bits - np.uint64(1)


@part
def chained(frame: Any, at: int, mask: Any, wanted: int, rows: Any, scores: Any, first: int) -> int:
    """Write the rows that a chain lists and that pass, best first; give how many there are."""
    code = integers(table(frame)[at_.CODE])
    begin = at + op.HEADER + 3 * (code[at + op.FILTER] + code[at + op.SCORE] + code[at + op.ENDS])
    begin += code[at + op.CLAUSES]
    filled = 0
    for c in range(begin, begin + 2 * code[at + op.CHAIN], 2):
        if filled == wanted:
            break
        if passes(mask, code[c]):
            rows[first + filled] = code[c]
            scores[first + filled] = -np.float64(code[c + 1])
            filled += 1
    return filled


@part
def rank_program(
    frame: Any, scratch: Any, at: int, request: int, seed: int, wanted: int, rows: Any, scores: Any, first: int
) -> tuple[int, int]:
    """Rank the offers of a catalog under one program.

    Parameters
    ----------
    frame, scratch : see `frames`
    at : where the program begins; request : which request it is ranked for
    seed : 0 … 2147483646
    wanted : the most places to fill
    rows, scores : int32 and doubles, written from place ``first`` on, best first

    Returns
    -------
    how many places are filled, and how many offers passed the filter
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    spaces = table(scratch)
    mask = words(spaces[at_.BITS])
    numbers = code[at + op.NUMBERS]
    middle = at + op.HEADER + 3 * code[at + op.FILTER]
    pass_conditions(frame, scratch, at + op.HEADER, middle, numbers, request, 0)
    survived = only_offers(frame, mask)
    limit: Any = np.int64(code[at + op.LIMIT])
    wanted = min(wanted, min(survived, limit))
    selector = code[at + op.SELECTOR]
    if selector == op.CHAINED:
        return chained(frame, at, mask, wanted, rows, scores, first), survived
    if wanted == 0:
        return 0, survived
    mode = code[at + op.MODE]
    if selector == op.ARGMAX and (mode == op.LEAST_FIRST or mode == op.GREATEST_FIRST):
        filled = walk(frame, scratch, at, wanted, rows, scores, first)
        if filled != UNDECIDED:
            return filled, survived
    find_ends(frame, scratch, at, mask)
    chosen = integers(spaces[at_.SURVIVORS])
    end = middle + 3 * code[at + op.SCORE]
    count = -1
    if selector == op.ORDERED and mode != op.GENERAL:
        # The first in catalog order; what the others score decides nothing.
        first_rows(frame, mask, wanted, chosen)
        count = wanted
    elif selector == op.ARGMAX and mode == op.BLEND and survived > _FEW and wanted <= _MOST:
        count = candidates(frame, scratch, at, wanted)
    if count < 0:
        first_rows(frame, mask, survived, chosen)
        count = survived
    if mode == op.BLEND:
        blend_scores(frame, scratch, at, chosen, count)
    else:
        scored(frame, scratch, middle, end, numbers, request, chosen, count, 1)
    values = doubles(spaces[at_.VECTORS])
    order = integers(spaces[at_.PLACES])
    spare = integers(spaces[at_.SPARE])
    if selector == op.ORDERED:
        for i in range(wanted):
            order[i] = i
    elif selector == op.SAMPLE:
        best_first(values, count, count, order, spare)
        temperature = doubles(entries[at_.NUMBERS])[numbers]
        sampled(order, count, wanted, temperature, seed, values, entries[at_.WIDTH], spare)
    else:
        best_first(values, count, wanted, order, spare)
    for i in range(wanted):
        rows[first + i] = chosen[order[i]]
        scores[first + i] = values[order[i]]
    return wanted, survived


@kernel
def rank_programs(
    frame: Any,
    scratch: Any,
    programs: Any,
    requests: Any,
    seeds: Any,
    begin: int,
    end: int,
    places: int,
    rows: Any,
    scores: Any,
    ranked: Any,
    survived: Any,
) -> None:
    """Rank the offers of a catalog under each of many programs.

    Parameters
    ----------
    frame, scratch : handles, see `frames`
    programs : (t,) int64, where each program begins in the code
    requests : (t,) int32, which request each program is ranked for
    seeds : (t,) int64, 0 … 2147483646
    begin, end : the programs from ``begin`` on, before ``end``, are ranked
    places : the most places wanted for each
    rows, scores : (t, places) int32 and doubles, written: filled from the left, the rest -1 and NaN
    ranked, survived : (t,) int32, how many places are filled, and how many offers passed the filter

    Notes
    -----
    The arrays are handed over as `Frame` entries are. Each program is ranked by itself: its answer does not depend on
    the others. Order and ties as in `best_first`. Source: specification, sections 4 and 5.
    """
    starts, needs, drawn = longs(programs), integers(requests), longs(seeds)
    best, values = integers(rows), doubles(scores)
    filled, passed = integers(ranked), integers(survived)
    for t in range(begin, end):
        # Of the types that `rank_one` gives: a part is compiled anew for others.
        request: Any = np.int64(needs[t])
        first: Any = np.int64(t * places)
        count, survivors = rank_program(frame, scratch, starts[t], request, drawn[t], places, best, values, first)
        filled[t] = count
        passed[t] = survivors
        for i in range(first + count, first + places):
            best[i] = -1
            values[i] = np.nan


@brief_kernel
def rank_one(desk: Any, at: int, asked: int, answer: Any) -> tuple[int, int, int, float]:
    """Rank the offers of a catalog under one program, for the first request.

    Parameters
    ----------
    desk : the handle of a `Frame` of two handles, a frame's and a scratch's
    at : where the program begins
    asked : the most places to fill, plus 2^32 times the seed; both as of `rank_program`
    answer : the handle of a `Frame` of rows, int32, and scores, doubles, written from the first place on, best first

    Returns
    -------
    how many places are filled, how many offers passed the filter, and the row and the score of the best; of nothing
    where no place is filled
    """
    first: Any = np.int64(0)
    places: Any = np.int64(asked & 0xFFFFFFFF)
    seed: Any = np.int64(asked >> 32)
    rows, scores = integers(table(answer)[0]), doubles(table(answer)[1])
    filled, survived = rank_program(table(desk)[0], table(desk)[1], at, first, seed, places, rows, scores, first)
    return filled, survived, rows[0], scores[0]
