"""The batch: many programs over one catalog, each filtered, scored and ordered."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import kernel
from tenantrank_kernels.conditions import condition_step
from tenantrank_kernels.scores import score_step
from tenantrank_kernels.selection import best_first, sampled

# Times a power of two, the top six bits of this de Bruijn sequence differ for each of the 64: the place of a lone bit.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_PLACE = np.zeros(64, dtype=np.int32)
for _bit in range(64):
    _PLACE[(0x03F79D71B4CB0A89 << _bit & 0xFFFFFFFFFFFFFFFF) >> 58] = _bit


@kernel
def rank_programs(
    columns: NDArray[np.float64],
    rows: NDArray[np.uint64],
    live_rows: NDArray[np.uint64],
    request_columns: NDArray[np.float64],
    requests: NDArray[np.int32],
    code: NDArray[np.int32],
    code_bounds: NDArray[np.int64],
    constants: NDArray[np.float64],
    constant_bounds: NDArray[np.int64],
    selectors: NDArray[np.int32],
    limits: NDArray[np.int64],
    temperatures: NDArray[np.float64],
    chain_rows: NDArray[np.int32],
    chain_places: NDArray[np.int32],
    chain_bounds: NDArray[np.int64],
    seeds: NDArray[np.int64],
    depth: int,
    ranked_rows: NDArray[np.int32],
    ranked_scores: NDArray[np.float64],
    ranked: NDArray[np.int32],
    survived: NDArray[np.int32],
) -> None:
    """Rank the offers of a catalog under each of ``t`` programs.

    Parameters
    ----------
    columns : (fields, 64 w), unknown values replaced by the field's default, no NaN
    rows : (atoms, w), bitsets; row 0 has the bit of every offer and no other
    live_rows : (requests, 4, w); request_columns : (requests, 3, 64 w)
    requests : (t,), which request each program is ranked for
    code, code_bounds : instructions of all programs, three int32 each, and where each program begins, (t + 1,)
    constants, constant_bounds : numbers of all programs, (t + 1,)
    selectors, limits, temperatures : (t,), selector, how many it keeps at most, and its temperature
    chain_rows, chain_places, chain_bounds : rows a chain lists, best first, with their places from 1, (t + 1,)
    seeds : (t,), 0 … 2147483646
    depth : stack height that the deepest program needs, of either stack
    ranked_rows, ranked_scores : (t, k), filled from the left, the rest untouched
    ranked : (t,), how many places are filled; survived : (t,), how many offers passed the filter

    Notes
    -----
    Each program is ranked by itself: its answer does not depend on the others. Order and ties as in `best_first`.
    Source: specification, sections 4 and 5.
    """
    words = rows.shape[1]
    width = columns.shape[1]
    places = ranked_rows.shape[1]
    bits = np.empty((depth, words), dtype=np.uint64)
    vectors = np.empty((depth, width), dtype=np.float64)
    survivors = np.empty(width, dtype=np.int32)
    order = np.empty(width, dtype=np.int32)
    spare = np.empty(width, dtype=np.int32)
    for t in range(code_bounds.shape[0] - 1):
        request = requests[t]
        numbers = constants[constant_bounds[t] : constant_bounds[t + 1]]
        height, top, count = 0, 0, 0
        for at in range(code_bounds[t], code_bounds[t + 1], 3):
            operation = code[at]
            if operation < op.SURVIVE:
                height = condition_step(code, at, numbers, columns, rows, live_rows[request], bits, height)
            elif operation == op.SURVIVE:
                height = 0
                for w in range(words):
                    word = bits[0, w]
                    while word:
                        lowest = word & (~word + np.uint64(1))
                        survivors[count] = w * 64 + _PLACE[(lowest * _SEQUENCE) >> np.uint64(58)]
                        count += 1
                        word ^= lowest
            else:
                if operation == op.GATE:
                    height -= 1
                top = score_step(
                    code, at, numbers, columns, request_columns[request], survivors, count, bits[height], vectors, top
                )
        survived[t] = count
        wanted = min(places, limits[t])
        selector = selectors[t]
        if selector == op.CHAIN:
            passed = bits[0]
            filled = 0
            for c in range(chain_bounds[t], chain_bounds[t + 1]):
                if filled == wanted:
                    break
                row = chain_rows[c]
                if (passed[row >> 6] >> np.uint64(row & 63)) & np.uint64(1):
                    ranked_rows[t, filled] = row
                    ranked_scores[t, filled] = -float(chain_places[c])
                    filled += 1
            ranked[t] = filled
            continue
        if selector == op.ORDERED:
            filled = min(wanted, count)
            for i in range(filled):
                order[i] = i
        elif selector == op.SAMPLE:
            best_first(vectors[0], count, count, order, spare)
            filled = sampled(order, count, wanted, temperatures[t], seeds[t], vectors[1], spare)
        else:
            filled = best_first(vectors[0], count, wanted, order, spare)
        for i in range(filled):
            ranked_rows[t, i] = survivors[order[i]]
            ranked_scores[t, i] = vectors[0, order[i]]
        ranked[t] = filled
