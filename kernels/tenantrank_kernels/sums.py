"""Sums in single precision: what each row scores under a blend, nearly, and the best of them word by word.

A row's sum is a constant and a column times a coefficient for each part. Only bounds are read off sums (`blends`), so
that a part of a sum may be rounded once or twice, as the machine likes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels._compile import part, small_part
from tenantrank_kernels.machine import LANES, PIECE, counted_in, doubles, integers, longs, lowest, singles, table, words
from tenantrank_kernels.single_lanes import (
    greater,
    greatest,
    in_all,
    joined,
    load_singles,
    lowered,
    only,
    reaches,
    reaching,
    store_singles,
)

_NOTHING = np.float32(-np.inf)
_PIECES = LANES // PIECE
_ONE = np.uint64(1)


@small_part
def _sums(coefficients: Any, fields: Any, columns: Any, count: int, start: Any, at: int) -> tuple[Any, Any, Any, Any]:
    """Sum up the four pieces of a word, of which the first begins at a row."""
    a, b, c, d = start, start, start, start
    for j in range(count):
        factor, column = in_all(np.float32(coefficients[j])), singles(columns[fields[j]])
        a = joined(a, factor, load_singles(column, at))
        b = joined(b, factor, load_singles(column, at + PIECE))
        c = joined(c, factor, load_singles(column, at + 2 * PIECE))
        d = joined(d, factor, load_singles(column, at + 3 * PIECE))
    return a, b, c, d


@small_part
def _most(mask: Any, w: int, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Give the greatest of the pieces of a word by lanes, of the rows whose bits are set."""
    piece = w * _PIECES
    most = greater(only(mask, piece + 1, b), only(mask, piece, a))
    return greater(only(mask, piece + 3, d), greater(only(mask, piece + 2, c), most))


@part
def rows_of_all(
    frame: Any,
    scratch: Any,
    count: int,
    constant: np.float32,
    slack: np.float32,
    slack_apart: np.float32,
    wanted: int,
) -> int:
    """Do as `rows_of_few` does for any number of coefficients, where rows may have been taken away.

    What ``wanted`` rows reach is that of the rows of the second bitset of the stack; ``slack_apart`` is how far below
    it the others may be that pass, of which the third bitset is made.
    """
    entries = table(frame)
    spaces = table(scratch)
    total = entries[at_.WORDS]
    columns = longs(entries[at_.SINGLE_COLUMNS])
    coefficients, fields = doubles(spaces[at_.COEFFICIENTS]), integers(spaces[at_.PARTS])
    mask = words(spaces[at_.BITS])
    bounds, rows = singles(spaces[at_.BOUNDS]), integers(spaces[at_.SURVIVORS])
    start, nothing = in_all(constant), in_all(_NOTHING)
    best = nothing
    for w in range(total):
        most, apart = nothing, nothing
        others = mask[w] & ~mask[total + w]
        mask[2 * total + w] = others
        if mask[w] != 0:
            a, b, c, d = _sums(coefficients, fields, columns, count, start, w * LANES)
            most = _most(mask, total + w, a, b, c, d)
            best = greater(most, best)
            if others != 0:
                apart = _most(mask, 2 * total + w, a, b, c, d)
        store_singles(bounds, w * PIECE, most)
        store_singles(bounds, (total + w) * PIECE, apart)
    reached_at = reached_by(bounds, total, best, wanted)
    least, least_apart = reached_at - slack, reached_at - slack_apart
    found = 0
    for first in range(0, total, LANES):
        last = min(total, first + LANES)
        reached = _words_reaching(bounds, first, last, least)
        reached |= _words_reaching(bounds, total + first, total + last, least_apart)
        while reached:
            w = first + lowest(reached)
            reached &= reached - _ONE
            a, b, c, d = _sums(coefficients, fields, columns, count, start, w * LANES)
            bits = mask[total + w] & reaching(a, b, c, d, least)
            bits |= mask[2 * total + w] & reaching(a, b, c, d, least_apart)
            found = write_rows(rows, found, w * LANES, bits)
    return found


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


@part
def _words_reaching(bounds: Any, first: int, last: int, bound: np.float32) -> np.uint64:
    """Give the words of a stretch, 64 at most, whose greatest sums reach a bound: the first as the lowest bit."""
    found = np.uint64(0)
    for w in range(first, last):
        found |= reaches(load_singles(bounds, w * PIECE), bound) << np.uint64(w - first)
    return found


@small_part
def write_rows(rows: Any, found: int, first: int, bits: np.uint64) -> int:
    """Write the rows of a word behind those found already; give how many there are now.

    Mostly there are one or two. Two are written without asking how many there are, for none knows: what is no row is
    overwritten, or lies behind the last one.
    """
    count = counted_in(bits)
    rows[found] = first + lowest(bits)
    bits &= bits - _ONE
    rows[found + 1] = first + lowest(bits)
    for i in range(2, count):
        bits &= bits - _ONE
        rows[found + i] = first + lowest(bits)
    return found + count
