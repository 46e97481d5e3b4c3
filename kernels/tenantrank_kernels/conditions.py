"""Conditions: a program's filter to a bitset over the catalog."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import brief_kernel, kernel, part
from tenantrank_kernels.machine import (
    WORDS,
    both,
    counted,
    doubles,
    either,
    integers,
    inverted,
    load_bits,
    longs,
    store_bits,
    table,
    without,
    words,
)

_ONE = np.uint64(1)


@part
def write_cut(frame: Any, field: int, cut: int, stack: Any, target: int, turned: bool) -> None:
    """Write the bitset of the first ``cut`` rows of a field's order at a place of the stack; of the others if turned.

    The nearest mark is copied, and the rows between it and the cut are flipped one by one.
    """
    entries = table(frame)
    marks = words(longs(entries[at_.MARKS])[field])
    order = integers(longs(entries[at_.ORDER])[field])
    shift = entries[at_.SHIFT]
    count = entries[at_.WORDS]
    last = entries[at_.MARK_COUNT] - 1
    mark = min((cut + ((1 << shift) >> 1)) >> shift, last)
    source = mark * count
    for w in range(0, count, WORDS):
        block = load_bits(marks, source + w)
        store_bits(stack, target + w, inverted(block) if turned else block)
    marked = min(mark << shift, entries[at_.SIZE])
    for place in range(min(marked, cut), max(marked, cut)):
        row = order[place]
        stack[target + (row >> 6)] ^= _ONE << np.uint64(row & 63)


@part
def pass_conditions(frame: Any, scratch: Any, begin: int, end: int, numbers: int, request: int, height: int) -> int:
    """Run the condition instructions between two places of the code on the stack of bitsets; give the new height.

    Parameters
    ----------
    frame, scratch : see `frames`; the stack is the scratch's ``BITS`` and needs one place above the height
    begin, end : where in the code; numbers : where the program's numbers begin
    request : which request's live rows are read
    height : that of the stack before

    Notes
    -----
    An inverted source sets bits of the padding; who reads a bitset masks it. Checks nothing: the lowering has. Source:
    specification, sections 1 and 4.
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    cuts = integers(entries[at_.CUTS])
    rows = words(entries[at_.ROWS])
    live_rows = words(entries[at_.LIVE_ROWS])
    stack = words(table(scratch)[at_.BITS])
    count = entries[at_.WORDS]
    live_at = request * op.LIVE_ROWS * count
    for at in range(begin, end, 3):
        operation = code[at]
        source = operation & op.SOURCE
        joined = operation & op.JOIN
        turned = operation & op.INVERT
        if source == op.ROW:
            bits = rows
            first = code[at + 1] * count
        elif source == op.LIVE:
            bits = live_rows
            first = live_at + code[at + 1] * count
        elif source == op.TOP:
            height -= 1
            bits = stack
            first = height * count
        else:
            bits = stack
            first = height * count
            alone = joined == op.PUSH
            write_cut(frame, code[at + 1], cuts[numbers + code[at + 2]], stack, first, alone and turned != 0)
            if alone:
                height += 1
                continue
        if joined == op.PUSH:
            target = height * count
            height += 1
            for w in range(0, count, WORDS):
                block = load_bits(bits, first + w)
                store_bits(stack, target + w, inverted(block) if turned else block)
        elif joined == op.AND:
            target = (height - 1) * count
            if turned:
                for w in range(0, count, WORDS):
                    store_bits(stack, target + w, without(load_bits(stack, target + w), load_bits(bits, first + w)))
            else:
                for w in range(0, count, WORDS):
                    store_bits(stack, target + w, both(load_bits(stack, target + w), load_bits(bits, first + w)))
        else:
            target = (height - 1) * count
            for w in range(0, count, WORDS):
                block = load_bits(bits, first + w)
                below = load_bits(stack, target + w)
                store_bits(stack, target + w, either(below, inverted(block) if turned else block))
    return height


@part
def bind(frame: Any, begin: int, end: int, numbers: int, field: int) -> None:
    """Find the cut of each comparison between two places of the code: how many values lie on its lower side.

    Of comparisons of one field alone, or of any where ``field`` is -1.
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    bounds = doubles(entries[at_.NUMBERS])
    cuts = integers(entries[at_.CUTS])
    for at in range(begin, end, 3):
        operation = code[at]
        source = operation & op.SOURCE
        if operation >= op.FIELD or (source != op.LE and source != op.LT):
            continue
        if field >= 0 and code[at + 1] != field:
            continue
        ordered = doubles(longs(entries[at_.ORDERED])[code[at + 1]])
        number = numbers + code[at + 2]
        bound = bounds[number]
        below, above = 0, entries[at_.SIZE]
        while below < above:
            middle = (below + above) >> 1
            value = ordered[middle]
            if value < bound or (source == op.LE and value == bound):
                below = middle + 1
            else:
                above = middle
        cuts[number] = below


@brief_kernel
def bind_programs(frame: Any, programs: Any, begin: int, end: int, field: int) -> None:
    """Find the cuts of programs for the observations that a frame holds.

    ``programs`` int64 are where programs stand in the code; those from ``begin`` on, before ``end``, are bound, in the
    comparisons of one field alone where that is not -1.
    """
    code = integers(table(frame)[at_.CODE])
    starts = longs(programs)
    for t in range(begin, end):
        at = starts[t]
        first = at + op.HEADER
        bind(frame, first, first + 3 * (code[at + op.FILTER] + code[at + op.SCORE]), code[at + op.NUMBERS], field)


@part
def only_offers(frame: Any, stack: Any) -> int:
    """Clear the padding of the lowest bitset of the stack; give how many offers it holds."""
    entries = table(frame)
    offers = words(entries[at_.ROWS])
    total = 0
    for w in range(0, entries[at_.WORDS], WORDS):
        block = both(load_bits(stack, w), load_bits(offers, w))
        store_bits(stack, w, block)
        total += counted(block)
    return total


@kernel
def condition_masks(frame: Any, scratch: Any, bounds: Any, conditions: int, masks: Any) -> None:
    """Evaluate several conditions over the catalog, each on its own.

    Parameters
    ----------
    frame, scratch : handles, see `frames`; the numbers of every condition begin at 0, the request is the first
    bounds : (c + 1,) int64, where each condition's code begins, and the end of the last; conditions : c
    masks : (c w,) uint64, written: the offers that pass each condition
    """
    starts, found = longs(bounds), words(masks)
    stack = words(table(scratch)[at_.BITS])
    count = table(frame)[at_.WORDS]
    bind(frame, 0, starts[conditions], 0, -1)
    for c in range(conditions):
        pass_conditions(frame, scratch, starts[c], starts[c + 1], 0, 0, 0)
        only_offers(frame, stack)
        for w in range(count):
            found[c * count + w] = stack[w]
