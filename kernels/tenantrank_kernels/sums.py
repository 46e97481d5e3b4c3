"""Sums in single precision: what each row scores under a blend, nearly, and the best of them word by word.

A row's sum is a constant and a column times a coefficient for each part. Only bounds are read off sums (`blends`), so
that a part of a sum may be rounded once or twice, as the machine likes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels._compile import part, small_part
from tenantrank_kernels.machine import (
    LANES,
    PIECE,
    at_least,
    greater,
    greatest,
    in_all,
    integers,
    joined,
    load_singles,
    longs,
    lowered,
    only,
    singles,
    store_singles,
    table,
    words,
)

FEW = 3
"""Coefficients that `bound_few` takes at most."""
_NOTHING = np.float32(-np.inf)
_SECOND, _THIRD, _FOURTH = np.uint64(PIECE), np.uint64(2 * PIECE), np.uint64(3 * PIECE)  # pieces of a word


@small_part
def _sum(start: Any, first: Any, second: Any, third: Any, x: Any, y: Any, z: Any, at: int) -> Any:
    """Sum up a piece of three columns, each times its coefficient."""
    block = joined(start, first, load_singles(x, at))
    block = joined(block, second, load_singles(y, at))
    return joined(block, third, load_singles(z, at))


@part
def bound_few(frame: Any, scratch: Any, count: int, constant: np.float32) -> Any:
    """Write for each word the greatest of its rows' sums, by lanes: of rows that stand a multiple of `PIECE` apart.

    Parameters
    ----------
    frame, scratch : see `frames`; the lowest bitset of the stack holds the rows that pass, ``BOUNDS`` is written
    count : how many coefficients the scratch holds, 1 … `FEW`; constant : what every sum starts from

    Returns
    -------
    the same for all words together
    """
    spaces = table(scratch)
    columns = longs(table(frame)[at_.SINGLE_COLUMNS])
    mask = words(spaces[at_.BITS])
    coefficients, fields = singles(spaces[at_.COEFFICIENTS]), integers(spaces[at_.PARTS])
    bounds = singles(spaces[at_.BOUNDS])
    # A column times zero adds nothing: the values of rows that pass are finite, those of others are not looked at.
    second, third = min(1, count - 1), count - 1
    x, y, z = singles(columns[fields[0]]), singles(columns[fields[second]]), singles(columns[fields[third]])
    zero = np.float32(0.0)
    p = in_all(coefficients[0])
    q = in_all(coefficients[1] if count > 1 else zero)
    r = in_all(coefficients[2] if count > 2 else zero)
    start, nothing = in_all(constant), in_all(_NOTHING)
    best = nothing
    for w in range(table(frame)[at_.WORDS]):
        bits = mask[w]
        most = nothing
        if bits != 0:
            at = w * LANES
            most = greater(only(bits, _sum(start, p, q, r, x, y, z, at)), nothing)
            at += PIECE
            most = greater(only(bits >> _SECOND, _sum(start, p, q, r, x, y, z, at)), most)
            at += PIECE
            most = greater(only(bits >> _THIRD, _sum(start, p, q, r, x, y, z, at)), most)
            at += PIECE
            most = greater(only(bits >> _FOURTH, _sum(start, p, q, r, x, y, z, at)), most)
            best = greater(most, best)
        store_singles(bounds, w * PIECE, most)
    return best


@small_part
def sums(scratch: Any, columns: Any, count: int, start: Any, at: int) -> tuple[Any, Any, Any, Any]:
    """Sum up the four pieces of a word, of which the first begins at a row."""
    coefficients, fields = singles(table(scratch)[at_.COEFFICIENTS]), integers(table(scratch)[at_.PARTS])
    a, b, c, d = start, start, start, start
    for j in range(count):
        factor, column = in_all(coefficients[j]), singles(columns[fields[j]])
        a = joined(a, factor, load_singles(column, at))
        b = joined(b, factor, load_singles(column, at + PIECE))
        c = joined(c, factor, load_singles(column, at + 2 * PIECE))
        d = joined(d, factor, load_singles(column, at + 3 * PIECE))
    return a, b, c, d


@small_part
def _most(bits: Any, a: Any, b: Any, c: Any, d: Any, nothing: Any) -> Any:
    """Give the greatest of the pieces of a word by lanes, of the rows whose bits are set."""
    most = greater(only(bits >> _SECOND, b), greater(only(bits, a), nothing))
    return greater(only(bits >> _FOURTH, d), greater(only(bits >> _THIRD, c), most))


@part
def bound_all(frame: Any, scratch: Any, count: int, constant: np.float32) -> Any:
    """Do as `bound_few` does for any number of coefficients, where rows may have been taken away.

    The rows that count are those of the second bitset of the stack; behind what is written of them, the same is
    written of the others that pass.
    """
    entries = table(frame)
    spaces = table(scratch)
    total = entries[at_.WORDS]
    columns = longs(entries[at_.SINGLE_COLUMNS])
    mask = words(spaces[at_.BITS])
    bounds = singles(spaces[at_.BOUNDS])
    start, nothing = in_all(constant), in_all(_NOTHING)
    best = nothing
    for w in range(total):
        bits = mask[w]
        most, apart = nothing, nothing
        if bits != 0:
            a, b, c, d = sums(scratch, columns, count, start, w * LANES)
            known = mask[total + w]
            most = _most(known, a, b, c, d, nothing)
            best = greater(most, best)
            if known != bits:
                apart = _most(bits & ~known, a, b, c, d, nothing)
        store_singles(bounds, w * PIECE, most)
        store_singles(bounds, (total + w) * PIECE, apart)
    return best


@part
def reached_by(bounds: Any, total: int, best: Any, wanted: int) -> np.float32:
    """Give what ``wanted`` rows reach at least: a ``wanted``-th greatest of lanes, each the best of other rows.

    ``bounds`` holds the greatest sums of each of ``total`` words by lanes, a multiple of 4; ``best`` those of all.
    """
    reached = greatest(best)
    if wanted <= PIECE // 2:
        # So few are seldom two in one lane.
        for _ in range(wanted - 1):
            best = lowered(best, reached, _NOTHING)
            reached = greatest(best)
        return reached
    nothing = in_all(_NOTHING)
    a, b, c, d = nothing, nothing, nothing, nothing
    for w in range(0, total, 4):
        at = w * PIECE
        a, b = greater(a, load_singles(bounds, at)), greater(b, load_singles(bounds, at + PIECE))
        c, d = greater(c, load_singles(bounds, at + 2 * PIECE)), greater(d, load_singles(bounds, at + 3 * PIECE))
    for _ in range(wanted - 1):
        a, b = lowered(a, reached, _NOTHING), lowered(b, reached, _NOTHING)
        c, d = lowered(c, reached, _NOTHING), lowered(d, reached, _NOTHING)
        reached = greatest(greater(greater(a, b), greater(c, d)))
    return reached


@small_part
def reaching(a: Any, b: Any, c: Any, d: Any, bound: np.float32) -> np.uint64:
    """Give the lanes of a word whose sums reach a bound."""
    low = at_least(a, bound) | at_least(b, bound) << _SECOND
    return low | at_least(c, bound) << _THIRD | at_least(d, bound) << _FOURTH
