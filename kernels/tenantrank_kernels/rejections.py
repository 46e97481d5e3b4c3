"""Rejections: which clauses of a filter each offer fails, and first, and how many offers each clause turns away."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels import frames as at_
from tenantrank_kernels import opcodes as op
from tenantrank_kernels._compile import brief_kernel
from tenantrank_kernels.conditions import only_offers, pass_conditions
from tenantrank_kernels.machine import (
    LANES,
    WORDS,
    both,
    chosen_shorts,
    counted,
    either,
    integers,
    load_bits,
    short_in_all,
    shorts,
    store_bits,
    store_shorts,
    table,
    without,
    words,
)


@brief_kernel
def clause_counts(frame: Any, scratch: Any, at: int, counts: Any) -> int:
    """Count the offers that each clause of a program is the first to turn away.

    Parameters
    ----------
    frame, scratch : handles, see `frames`; the request is the first
    at : where the program begins
    counts : int32, written: one for each clause, in the order tried

    Returns
    -------
    how many offers pass them all

    Notes
    -----
    Source: specification, section 4 (the first failing child of the root `and`, in normal-form order).
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    turned_away = integers(counts)
    stack = words(table(scratch)[at_.BITS])
    begin = at + op.HEADER
    ends = begin + 3 * (code[at + op.FILTER] + code[at + op.SCORE] + code[at + op.ENDS])
    left = entries[at_.SIZE]
    height = 0
    done = begin
    for clause in range(code[at + op.CLAUSES]):
        end = begin + 3 * code[ends + clause]
        height = pass_conditions(frame, scratch, done, end, code[at + op.NUMBERS], 0, height)
        passed = only_offers(frame, stack)
        turned_away[clause] = left - passed
        left = passed
        done = end
    return left


@brief_kernel
def clause_fails(frame: Any, scratch: Any, at: int, fails: Any) -> None:
    """Find the offers that fail each clause of a program, each clause on its own.

    Parameters
    ----------
    frame, scratch, at : as of `clause_counts`
    fails : (clauses, words) uint64, written: a bitset a clause, in the order tried, nothing set behind the last offer
    """
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
            # A clause is joined to what passed those before it: here to every offer.
            for w in range(0, count, WORDS):
                store_bits(stack, w, load_bits(offers, w))
        end = begin + 3 * code[ends + clause]
        height = pass_conditions(frame, scratch, done, end, code[at + op.NUMBERS], 0, height)
        for w in range(0, count, WORDS):
            store_bits(found, clause * count + w, without(load_bits(offers, w), load_bits(stack, w)))
        done = end


@brief_kernel
def first_failing(fails: Any, clauses: int, count: int, first: Any, counts: Any) -> None:
    """Find the clause that each offer fails first, and count the offers that each clause is the first to turn away.

    Parameters
    ----------
    fails : (clauses, count) uint64, the offers that fail each clause, as `clause_fails` writes them
    clauses : how many there are, at least 1; count : words of a bitset
    first : (64 count,) uint16, written: the place of the clause in the order tried, or how many there are where the
        offer passes them all
    counts : (clauses,) int32, written
    """
    failing = words(fails)
    found = shorts(first)
    turned_away = integers(counts)
    for clause in range(clauses):
        turned_away[clause] = 0
    for w in range(0, count, WORDS):
        before = load_bits(failing, w)
        turned_away[0] += counted(before)
        for clause in range(1, clauses):
            block = load_bits(failing, clause * count + w)
            turned_away[clause] += counted(without(block, before))
            before = either(before, block)
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
