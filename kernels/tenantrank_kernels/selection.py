"""Selection: scored survivors to the order in which they are offered."""

from __future__ import annotations

from typing import Any

import numpy as np

from tenantrank_kernels._compile import part, small_part

_MODULUS = 2147483647
_FACTOR = 16807
_INSERTION_LIMIT = 48  # up to here, keeping the best k in a sorted list beats sorting all
_FEW = 16  # and up to here, so does keeping all


@small_part
def before(score: float, other: float) -> bool:
    """Say whether a score stands strictly before another: the greater first, NaN after every number."""
    return score > other or (other != other and score == score)


@part
def best_first(scores: Any, count: int, wanted: int, order: Any, spare: Any) -> int:
    """Order survivors by score, greatest first, ties by catalog order, NaN last.

    Parameters
    ----------
    scores : doubles, scores of the survivors in catalog order; the first ``count`` count
    wanted : how many places are needed
    order : int32, at least ``count``, overwritten: places in ``scores``, best first; spare : likewise, scratch

    Returns
    -------
    how many places of ``order`` are filled, ``min(wanted, count)``

    Notes
    -----
    Source: specification, section 5 (argmax). Stable, so ties need no second key.
    """
    if count <= _FEW or (wanted < count and wanted <= _INSERTION_LIMIT):
        worst = np.inf if wanted == 0 else np.nan
        for i in range(count):
            score = scores[i]
            if i >= wanted and not before(score, worst):
                continue
            place = min(i, wanted - 1)
            while place > 0 and before(score, scores[order[place - 1]]):
                order[place] = order[place - 1]
                place -= 1
            order[place] = i
            if i >= wanted - 1:
                worst = scores[order[wanted - 1]]
        return min(wanted, count)
    for i in range(count):
        order[i] = i
    width = 1
    while width < count:
        for left in range(0, count, 2 * width):
            middle = min(left + width, count)
            right = min(left + 2 * width, count)
            a, b = left, middle
            for place in range(left, right):
                if a < middle and (b >= right or not before(scores[order[b]], scores[order[a]])):
                    spare[place] = order[a]
                    a += 1
                else:
                    spare[place] = order[b]
                    b += 1
        for i in range(count):
            order[i] = spare[i]
        width *= 2
    return min(wanted, count)


@part
def sampled(
    order: Any, count: int, wanted: int, temperature: float, seed: int, weights: Any, first: int, spare: Any
) -> int:
    """Draw an order without replacement, favouring the front of the order given.

    Parameters
    ----------
    order : int32, the argmax order of all ``count`` survivors; its first places are overwritten by the drawn order
    wanted : how many to draw
    temperature : 0 keeps the order; a negative one counts as 0
    seed : 0 … 2147483646, reduced already
    weights : doubles, scratch from place ``first`` on; spare : int32, at least ``count``, scratch

    Returns
    -------
    how many places are filled, ``min(wanted, count)``

    Notes
    -----
    Weight of the i-th place is q^i by repeated multiplication, q = t/(t+1). Sums run over what remains, in order, anew
    at each draw, so that every rounding is the language's. Source: specification, section 5 (sample, rng).
    """
    heat = max(temperature, 0.0)
    ratio = heat / (heat + 1.0)
    weight = 1.0
    for i in range(count):
        weights[first + i] = weight
        spare[i] = order[i]
        weight *= ratio
    state = np.int64(seed)
    if state <= 0:
        state += _MODULUS - 1
    for _ in range(4):
        state = state * _FACTOR % _MODULUS
    left = count
    places = min(wanted, count)
    for place in range(places):
        state = state * _FACTOR % _MODULUS
        total = 0.0
        for i in range(left):
            total += weights[first + i]
        target = state / _MODULUS * total
        chosen = left - 1
        running = 0.0
        for i in range(left):
            running += weights[first + i]
            if running >= target:
                chosen = i
                break
        order[place] = spare[chosen]
        for i in range(chosen, left - 1):
            spare[i] = spare[i + 1]
            weights[first + i] = weights[first + i + 1]
        left -= 1
    return places
