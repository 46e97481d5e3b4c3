"""Terms of the shapes that the engine takes shortcuts for: filters that pass most offers, sums of linear scores, chains
of steps over one field.
"""

from __future__ import annotations

from random import Random

from tests.reference.generate import Vocabulary
from tests.reference.signature import V1, Term
from tests.reference.terms import NUMBERS, random_atom

FACTORS = (0.1, 0.25, 0.5, 0.7, 1.5, 2, -1, -0.3, -2.5, 1e-3, 1e6, 1e-17, 1e16)
LENGTHS = (1, 1, 2, 2, 3, 4)


def few_clauses(rng: Random, version: str, words: Vocabulary) -> Term:
    """A filter that mostly leaves many offers: nothing, one clause or two, each of which rejects little."""
    return ["and", ["top"], *(_clause(rng, version, words) for _ in range(rng.choice((0, 0, 1, 1, 2))))]


def _clause(rng: Random, version: str, words: Vocabulary) -> Term:
    style = rng.randrange(4)
    if style == 0:
        return ["not", random_atom(rng, version, words)]
    if style == 1:
        return ["or", random_atom(rng, version, words), random_atom(rng, version, words)]
    name = rng.choice(words.num_fields)
    seen = sorted(words.values.get(name) or (0.0, 1.0))
    if style == 2:
        return ["cmp", name, rng.choice(("ge", "gt", "ne")), rng.choice(seen[: len(seen) // 4 + 1])]
    return ["cmp", name, rng.choice(("le", "lt", "ne")), rng.choice(seen[3 * len(seen) // 4 :])]


def sum_of_parts(rng: Random, words: Vocabulary) -> Term:
    """A sum of 1 to 4 scores, each linear in one field or constant; a field may come twice."""
    fields = rng.sample(words.num_fields, min(3, len(words.num_fields)))
    return ["add", *(_linear(rng, fields) for _ in range(rng.randint(1, 4)))]


def _linear(rng: Random, fields: list[str]) -> Term:
    part: Term = ["field", rng.choice(fields)]
    if rng.random() < 0.7:
        part = ["normalize", part]
    if rng.random() < 0.08:
        part = ["lit", rng.choice(NUMBERS)]
    for _ in range(rng.randrange(3)):
        part = ["neg", part] if rng.random() < 0.4 else ["scale", _factor(rng), part]
    return part


def chain_of_steps(rng: Random, words: Vocabulary) -> Term:
    """A score that rises or falls with one field; now and then its clamps are the wrong way round."""
    score: Term = ["field", rng.choice(words.num_fields)]
    seen = sorted(words.values.get(score[1]) or (0.0, 1.0))
    if rng.random() < 0.5:
        score, seen = ["normalize", score], [0, 0.1, 0.5, 0.9, 1]
    for _ in range(rng.choice(LENGTHS) - 1):
        style = rng.random()
        if style < 0.35:
            low, high = sorted((rng.choice((*seen, *NUMBERS)), rng.choice(seen)))
            score = ["clamp", low, high, score] if rng.random() < 0.95 else ["clamp", high, low, score]
        else:
            score = ["neg", score] if style < 0.6 else ["scale", _factor(rng), score]
    return score


def _factor(rng: Random) -> float:
    return rng.choice(NUMBERS) if rng.random() < 0.05 else rng.choice(FACTORS)


def reshaped(rng: Random, term: Term, version: str, words: Vocabulary, large: bool) -> Term:
    """A policy with its filter, scorer or selector replaced, in a large catalog mostly, in a small one now and then."""
    often = 0.6 if large else 0.12
    condition, scorer, selector, *rest = term[-5:]
    if rng.random() < often:
        condition = few_clauses(rng, version, words)
    if rng.random() < often:
        scorer = (sum_of_parts if rng.random() < 0.6 else chain_of_steps)(rng, words)
    if version != V1 and large and rng.random() < 0.5:
        selector = rng.choice((["argmax"], ["argmax"], ["top_k", rng.choice((1, 5, 48, 49, 64)), ["argmax"]]))
    return [*term[:-5], condition, scorer, selector, *rest]
