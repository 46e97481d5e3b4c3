"""Rejections: which clause of a filter each offer fails first, and how many offers each clause turns away."""

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
    chosen_shorts,
    integers,
    load_bits,
    load_shorts,
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
def first_failing(frame: Any, scratch: Any, at: int, first: Any) -> int:
    """Find the clause of a program that each offer fails first.

    Parameters
    ----------
    frame, scratch, at : as of `clause_counts`
    first : (width,) uint16, written: the place of the clause in the order tried, or how many there are where the offer
        passes them all; without meaning behind the last offer

    Returns
    -------
    how many offers pass them all
    """
    entries = table(frame)
    code = integers(entries[at_.CODE])
    found = shorts(first)
    stack = words(table(scratch)[at_.BITS])
    count = entries[at_.WORDS]
    begin = at + op.HEADER
    ends = begin + 3 * (code[at + op.FILTER] + code[at + op.SCORE] + code[at + op.ENDS])
    clauses = code[at + op.CLAUSES]
    none = short_in_all(np.uint16(0))
    for w in range(count):
        store_shorts(found, w * LANES, none)
    height = 0
    done = begin
    left = entries[at_.SIZE]
    for clause in range(clauses):
        end = begin + 3 * code[ends + clause]
        height = pass_conditions(frame, scratch, done, end, code[at + op.NUMBERS], 0, height)
        left = only_offers(frame, stack)
        # What still passes fails a later clause, or none.
        later = short_in_all(np.uint16(clause + 1))
        for w in range(count):
            store_shorts(found, w * LANES, chosen_shorts(stack[w], later, load_shorts(found, w * LANES)))
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
