"""Rejections: which clauses of a filter each offer fails, and first, and how many offers each clause turns away."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import brief_kernel, part
from tenantrank_kernels.conditions import only_offers, pass_conditions
from tenantrank_kernels.machine import (
    LANES,
    WORDS,
    both,
    counted,
    either,
    integers,
    load_bits,
    shorts,
    store_bits,
    table,
    without,
    words,
)
from tenantrank_kernels.short_lanes import byte_in_all, chosen_shorts, marked, short_in_all, store_shorts, widened

BYTE = 8
MOST_DIGITS = 16
"""Binary digits of an offer's place that a short integer has room for."""

FIRST_COUNTS = 0
"""`turned_away` counts the offers that each clause is the first to turn away."""
FIRST_OF_EVERY = 1
"""It counts these, and finds the clause that is the first for each offer."""
OWN_COUNTS = 2
"""It counts the offers that fail each clause, each clause on its own."""


@part
def note_passing(found: Any, stack: Any, count: int, place: int) -> None:
    """Note in the digits of each offer's place those that pass all clauses before a place, from 1 on.

    An offer's place is the last that it reaches. A binary digit changes at each multiple of its value, and who reaches
    one has reached all before it: so each change sets the digit of those who are left, or clears it.
    """
    digit = 0
    while digit < MOST_DIGITS and (place >> digit) << digit == place:
        first = digit * count
        turn = place >> digit
        for w in range(0, count, WORDS):
            passing = load_bits(stack, w)
            if turn > 1:
                before = load_bits(found, first + w)
                passing = either(before, passing) if turn & 1 else without(before, passing)
            store_bits(found, first + w, passing)
        digit += 1


@part
def write_places(found: Any, count: int, digits: int, first: Any) -> None:
    """Write the place of every offer, of which so many digits were found."""
    for w in range(count):
        lanes = byte_in_all(np.uint8(0))
        for digit in range(min(digits, BYTE)):
            lanes = marked(found[digit * count + w], np.uint8(1 << digit), lanes)
        store_shorts(first, w * LANES, widened(lanes))
    for digit in range(BYTE, digits):
        for row in range(count * LANES):
            if (found[digit * count + (row >> 6)] >> np.uint64(row & 63)) & np.uint64(1):
                first[row] |= np.uint16(1 << digit)


@part
def restart(frame: Any, stack: Any) -> int:
    """Put every offer into the lowest bitset of the stack, which a clause is joined to; give how many there are."""
    entries = table(frame)
    offers = words(entries[at_.ROWS])
    for w in range(0, entries[at_.WORDS], WORDS):
        store_bits(stack, w, load_bits(offers, w))
    return entries[at_.SIZE]


@brief_kernel
def turned_away(desk: Any, at: int, room: Any, wanted: int) -> int:
    """Count the offers that each clause of a program turns away, and find the clause that each offer fails first.

    Parameters
    ----------
    desk : as of `rank_one`; the request is the first
    at : where the program begins
    room : the handle of a `Frame` of: how many clauses there is room for, and how many words; ``counts``, int32, one a
        clause; ``found``, uint64, a bitset for each binary digit of the number of clauses, but for no more than
        `MOST_DIGITS`; ``first``, uint16, 64 a word
    wanted : `FIRST_COUNTS`, `FIRST_OF_EVERY` or `OWN_COUNTS`

    Returns
    -------
    how many clauses there are; 0 where there is no room for them, and then nothing is written

    Notes
    -----
    Writes ``counts`` in the order tried, and ``first``: the place of the first clause that an offer fails, or how many
    there are where it passes them all. Source: specification, section 4 (the first failing child of the root `and`, in
    normal-form order).
    """
    frame, scratch = table(desk)[0], table(desk)[1]
    entries, places = table(frame), table(room)
    code = integers(entries[at_.CODE])
    clauses: Any = np.int64(code[at + op.CLAUSES])
    count = entries[at_.WORDS]
    if clauses > places[0] or count > places[1]:
        return 0
    counts, found, first = integers(places[2]), words(places[3]), shorts(places[4])
    stack = words(table(scratch)[at_.BITS])
    begin = at + op.HEADER
    ends = begin + 3 * (code[at + op.FILTER] + code[at + op.SCORE] + code[at + op.ENDS])
    left = entries[at_.SIZE]
    height = 0
    done = begin
    for clause in range(clauses):
        if clause and wanted == OWN_COUNTS:
            left = restart(frame, stack)
        end = begin + 3 * code[ends + clause]
        height = pass_conditions(frame, scratch, done, end, code[at + op.NUMBERS], 0, height)
        passed = only_offers(frame, stack)
        counts[clause] = left - passed
        left = passed
        done = end
        if wanted == FIRST_OF_EVERY:
            note_passing(found, stack, count, clause + 1)
    if wanted == FIRST_OF_EVERY:
        digits = 0
        while digits < MOST_DIGITS and clauses >> digits:
            digits += 1
        write_places(found, count, digits, first)
    return clauses


@brief_kernel
def clause_fails(desk: Any, at: int, fails: Any) -> None:
    """Find the offers that fail each clause of a program, each clause on its own.

    Parameters
    ----------
    desk, at : as of `turned_away`
    fails : (clauses, words) uint64, written: a bitset a clause, in the order tried, nothing set behind the last offer
    """
    frame, scratch = table(desk)[0], table(desk)[1]
    entries = table(frame)
    code = integers(entries[at_.CODE])
    offers = words(entries[at_.ROWS])
    found = words(fails)
    stack = words(table(scratch)[at_.BITS])
    count = entries[at_.WORDS]
    begin = at + op.HEADER
    ends = begin + 3 * (code[at + op.FILTER] + code[at + op.SCORE] + code[at + op.ENDS])
    height = 0
    done = begin
    for clause in range(code[at + op.CLAUSES]):
        if clause:
            restart(frame, stack)
        end = begin + 3 * code[ends + clause]
        height = pass_conditions(frame, scratch, done, end, code[at + op.NUMBERS], 0, height)
        for w in range(0, count, WORDS):
            store_bits(found, clause * count + w, without(load_bits(offers, w), load_bits(stack, w)))
        done = end


@brief_kernel
def first_failing(fails: Any, clauses: int, count: int, first: Any) -> None:
    """Find the clause that each offer fails first, from what fails each clause.

    Parameters
    ----------
    fails : (clauses, count) uint64, the offers that fail each clause, as `clause_fails` writes them
    clauses : how many there are, at least 1; count : words of a bitset
    first : (64 count,) uint16, written: the place of the clause in the order tried, or how many there are where the
        offer passes them all
    """
    failing = words(fails)
    found = shorts(first)
    for w in range(count):
        lanes = short_in_all(np.uint16(clauses))
        for clause in range(clauses - 1, -1, -1):
            lanes = chosen_shorts(failing[clause * count + w], short_in_all(np.uint16(clause)), lanes)
        store_shorts(found, w * LANES, lanes)


@brief_kernel
def fail_counts(fails: Any, unknown: Any, clauses: int, count: int, counts: Any) -> None:
    """Count for each clause the offers that fail it, those that fail no other, and those of which something is unknown.

    Parameters
    ----------
    fails, clauses, count : as of `first_failing`
    unknown : (clauses, count) uint64, those that fail each clause for want of knowledge
    counts : (3, clauses) int32, written
    """
    failing = words(fails)
    unsure = words(unknown)
    found = integers(counts)
    for at in range(3 * clauses):
        found[at] = 0
    for w in range(0, count, WORDS):
        one = load_bits(failing, w)
        more = without(one, one)
        for clause in range(1, clauses):
            block = load_bits(failing, clause * count + w)
            more = either(more, both(one, block))
            one = either(one, block)
        alone = without(one, more)
        for clause in range(clauses):
            block = load_bits(failing, clause * count + w)
            found[clause] += counted(block)
            found[clauses + clause] += counted(both(block, alone))
            found[2 * clauses + clause] += counted(load_bits(unsure, clause * count + w))
