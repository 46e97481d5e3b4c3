"""Scorers that rise or fall with one field: the field's order is walked from its best end until k rows have passed.

Every step of such a scorer, rounding included, is weakly monotone, so that rows come in the order of their scores and
equal scores are neighbours. Where values that differ score alike, by rounding, a clamp or an unknown value among the
survivors, catalog order decides between all rows that do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import part
from tenantrank_kernels.conditions import write_cut
from tenantrank_kernels.machine import doubles, integers, longs, lowest, table, words
from tenantrank_kernels.orders import last_passing, next_passing
from tenantrank_kernels.scores import end_places

UNDECIDED = -1
MOST = 48  # places up to which each row found is put among those before it by catalog order


@part
def value_score(frame: Any, begin: int, end: int, numbers: int, low: float, high: float, value: float) -> float:
    """Score one value of the field that a monotone scorer reads, by the same steps as `score_step`."""
    entries = table(frame)
    code = integers(entries[at_.CODE])
    constants = doubles(entries[at_.NUMBERS])
    score = value
    # The first instruction gives the value itself.
    for at in range(begin + 3, end, 3):
        operation = code[at]
        if operation == op.NORMALIZE:
            if not high > low:
                score = 0.0
            elif score >= high:
                score = 1.0
            elif score <= low:
                score = 0.0
            else:
                scaled = (score - low) / (high - low)
                score = scaled if scaled == scaled else 0.0
        elif operation == op.NEGATE:
            score = 1.0 - score
        elif operation == op.SCALE:
            score = constants[numbers + code[at + 2]] * score
        elif operation == op.CLAMP:
            least = constants[numbers + code[at + 2]]
            most = constants[numbers + code[at + 2] + 1]
            score = least if score < least else (most if score > most else score)
    return score


@part
def _insert(rows: Any, scores: Any, first: int, filled: int, row: int, score: float) -> None:
    """Put a row behind all that score higher, and behind equal scores that stand before it in the catalog."""
    place = first + filled
    while place > first and (score > scores[place - 1] or (score == scores[place - 1] and row < rows[place - 1])):
        rows[place] = rows[place - 1]
        scores[place] = scores[place - 1]
        place -= 1
    rows[place] = row
    scores[place] = score


@part
def _first_beyond(
    frame: Any, at: int, low: float, high: float, score: float, equal: bool, begin: int, stop: int
) -> int:
    """Give the first place from ``begin`` on, before ``stop``, whose value scores past a score as the order goes.

    With ``equal`` also one that scores just that. Scores fall along the order, or rise, weakly.
    """
    code = integers(table(frame)[at_.CODE])
    first = at + op.HEADER + 3 * code[at + op.FILTER]
    end = first + 3 * code[at + op.SCORE]
    falling = code[at + op.MODE] == op.LEAST_FIRST
    ordered = doubles(longs(table(frame)[at_.ORDERED])[code[end]])
    while begin < stop:
        middle = (begin + stop) >> 1
        found = value_score(frame, first, end, code[at + op.NUMBERS], low, high, ordered[middle])
        if (found < score if falling else found > score) or (equal and found == score):
            stop = middle
        else:
            begin = middle + 1
    return begin


@part
def _settle_ties(
    frame: Any, scratch: Any, at: int, least: int, greatest: int, wanted: int, rows: Any, scores: Any, first: int
) -> None:
    """Choose the last places anew by catalog order, among all rows that pass and score as the last one does.

    ``least`` and ``greatest`` are the first and the last place of the order whose row passes.
    """
    entries = table(frame)
    count = entries[at_.WORDS]
    stack = words(table(scratch)[at_.BITS])
    code = integers(entries[at_.CODE])
    numbers = code[at + op.NUMBERS]
    start = at + op.HEADER + 3 * code[at + op.FILTER]
    finish = start + 3 * code[at + op.SCORE]
    field = code[finish]
    values = doubles(longs(entries[at_.COLUMNS])[field])
    ordered = doubles(longs(entries[at_.ORDERED])[field])
    low, high = ordered[least], ordered[greatest]
    score = scores[first + wanted - 1]
    begin = _first_beyond(frame, at, low, high, score, True, least, greatest + 1)
    end = _first_beyond(frame, at, low, high, score, False, least, greatest + 1)
    write_cut(frame, field, begin, stack, count)
    write_cut(frame, field, end, stack, 2 * count)
    filled = 0
    while scores[first + filled] > score:
        filled += 1
    for w in range(count):
        bits = stack[w] & stack[2 * count + w] & ~stack[count + w]
        while bits:
            row = w * 64 + lowest(bits)
            rows[first + filled] = row
            # Its own score: one zero equals the other, and is another double.
            scores[first + filled] = value_score(frame, start, finish, numbers, low, high, values[row])
            filled += 1
            if filled == wanted:
                return
            bits &= bits - np.uint64(1)


@part
def walk(frame: Any, scratch: Any, at: int, wanted: int, rows: Any, scores: Any, first: int) -> int:
    """Rank the rows that pass under a program whose scorer rises or falls with one field.

    Parameters
    ----------
    frame, scratch : see `frames`; the lowest bitset of the stack holds the rows that pass, at least ``wanted``
    at : where the program begins
    wanted : how many places are needed, one at least
    rows, scores : int32 and doubles, written from place ``first`` on

    Returns
    -------
    how many places are filled: ``wanted``; or `UNDECIDED`, which leaves them without meaning, where values that differ
    score alike and more than `MOST` places are wanted
    """
    entries = table(frame)
    mask = words(table(scratch)[at_.BITS])
    code = integers(entries[at_.CODE])
    numbers = code[at + op.NUMBERS]
    begin = at + op.HEADER + 3 * code[at + op.FILTER]
    end = begin + 3 * code[at + op.SCORE]
    field = code[end]
    order = integers(longs(entries[at_.ORDER])[field])
    ordered = doubles(longs(entries[at_.ORDERED])[field])
    least, greatest = end_places(frame, mask, end, numbers)
    low, high = ordered[least], ordered[greatest]
    filled = 0
    mixed = False  # whether values that differ have the score at hand
    if code[at + op.MODE] == op.LEAST_FIRST:
        place = least
        score = value_score(frame, begin, end, numbers, low, high, low)
        value = low
        while True:
            if ordered[place] != value:
                value = ordered[place]
                earlier = score
                score = value_score(frame, begin, end, numbers, low, high, value)
                mixed = score == earlier
                if mixed and wanted > MOST:
                    return UNDECIDED
            _insert(rows, scores, first, filled, order[place], score)
            filled += 1
            if filled == wanted or place == greatest:
                break
            place = next_passing(frame, mask, field, order, place + 1, greatest)
        beyond = integers(longs(entries[at_.RUN_END])[field])[place]
        more = beyond <= greatest
    else:
        run_first = integers(longs(entries[at_.RUN_FIRST])[field])
        place = greatest
        while True:
            # Within a stretch of equal values, forward: the catalog's order.
            stop = place
            place = max(least, run_first[stop])
            score = value_score(frame, begin, end, numbers, low, high, ordered[stop])
            mixed = filled > 0 and score == scores[first + filled - 1]
            if mixed and wanted > MOST:
                return UNDECIDED
            start = place
            place = next_passing(frame, mask, field, order, place, stop)
            while True:
                _insert(rows, scores, first, filled, order[place], score)
                filled += 1
                if filled == wanted or place == stop:
                    break
                place = next_passing(frame, mask, field, order, place + 1, stop)
            if filled == wanted or start == least:
                break
            place = last_passing(frame, mask, field, order, least, start)
        beyond = max(least, run_first[stop]) - 1
        more = beyond >= least
    if more and not mixed:
        mixed = value_score(frame, begin, end, numbers, low, high, ordered[beyond]) == scores[first + filled - 1]
    if mixed:
        _settle_ties(frame, scratch, at, least, greatest, wanted, rows, scores, first)
    return filled
