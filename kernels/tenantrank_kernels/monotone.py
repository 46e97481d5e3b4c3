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
from tenantrank_kernels.double_lanes import clamped, double_in_all, gathered, minus, rescaled, store_doubles, times
from tenantrank_kernels.machine import EIGHT, doubles, integers, longs, lowest, table, words
from tenantrank_kernels.orders import first_places, last_passing, next_passing
from tenantrank_kernels.scores import bounds_of

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
    write_cut(frame, field, begin, stack, count, False)
    write_cut(frame, field, end, stack, 2 * count, False)
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
def _scores_of(frame: Any, begin: int, end: int, numbers: int, low: float, high: float, block: Any) -> Any:
    """Do for eight values what `value_score` does for one."""
    entries = table(frame)
    code = integers(entries[at_.CODE])
    constants = doubles(entries[at_.NUMBERS])
    for at in range(begin + 3, end, 3):
        operation = code[at]
        if operation == op.NORMALIZE:
            block = rescaled(block, low, high)
        elif operation == op.NEGATE:
            block = minus(double_in_all(1.0), block)
        elif operation == op.SCALE:
            block = times(double_in_all(constants[numbers + code[at + 2]]), block)
        elif operation == op.CLAMP:
            number = numbers + code[at + 2]
            block = clamped(block, constants[number], constants[number + 1])
    return block


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
    spaces = table(scratch)
    mask = words(spaces[at_.BITS])
    places = integers(spaces[at_.PLACES])
    found = doubles(spaces[at_.VECTORS])
    code = integers(entries[at_.CODE])
    numbers = code[at + op.NUMBERS]
    begin = at + op.HEADER + 3 * code[at + op.FILTER]
    end = begin + 3 * code[at + op.SCORE]
    field = code[end]
    order = integers(longs(entries[at_.ORDER])[field])
    ordered = doubles(longs(entries[at_.ORDERED])[field])
    least, stop = bounds_of(frame, end, numbers)
    last = wanted - 1
    if code[at + op.MODE] == op.LEAST_FIRST:
        first_places(frame, mask, field, order, False, least, stop, wanted, places)
        for i in range(wanted):
            rows[first + i] = order[places[i]]
        least = places[0]
        greatest = last_passing(frame, mask, field, order, least, stop)
        beyond = integers(longs(entries[at_.RUN_END])[field])[places[last]]
        more = beyond <= greatest
    else:
        size = entries[at_.SIZE]
        falling = integers(longs(entries[at_.FALLING])[field])
        first_places(frame, mask, field, falling, True, size - stop, size - least, wanted, places)
        for i in range(wanted):
            rows[first + i] = falling[places[i]]
            # A place of the order with the same value.
            places[i] = size - 1 - places[i]
        greatest = integers(longs(entries[at_.RUN_END])[field])[places[0]] - 1
        least = next_passing(frame, mask, field, order, least, stop)
        beyond = integers(longs(entries[at_.RUN_FIRST])[field])[places[last]] - 1
        more = beyond >= least
    low, high = ordered[least], ordered[greatest]
    lanes = wanted
    if more:
        places[wanted] = beyond
        lanes += 1
    padded = lanes
    while padded % EIGHT:
        places[padded] = places[0]
        padded += 1
    for i in range(0, padded, EIGHT):
        store_doubles(found, i, _scores_of(frame, begin, end, numbers, low, high, gathered(ordered, places, i)))
    mixed = False  # whether values that differ score alike
    scores[first] = found[0]
    for i in range(1, wanted):
        scores[first + i] = found[i]
        mixed |= (found[i] == found[i - 1]) & (ordered[places[i]] != ordered[places[i - 1]])
    if mixed:
        if wanted > MOST:
            return UNDECIDED
        for i in range(1, wanted):
            _insert(rows, scores, first, i, rows[first + i], scores[first + i])
    if mixed or (more and found[wanted] == found[last]):
        _settle_ties(frame, scratch, at, least, greatest, wanted, rows, scores, first)
    return wanted
