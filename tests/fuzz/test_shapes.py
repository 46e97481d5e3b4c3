"""The shapes that the engine takes shortcuts for: they are terms of the language, and the shortcuts are met."""

from __future__ import annotations

from collections import Counter
from random import Random

import tenantrank as tr
from tenantrank.policy.signature import V2
from tenantrank_kernels import opcodes as op
from tests.fuzz.differential import draw_world
from tests.fuzz.shapes import chain_of_steps, few_clauses, reshaped, sum_of_parts
from tests.reference import generate
from tests.reference.signature import V1, Term

OFFERS = draw_world(3, 0, size=90).offers
CATALOG = tr.Catalog.from_records(OFFERS, generate.FIELDS)
WORDS = generate.Vocabulary.of(OFFERS, V2)
REST: list[Term] = [["argmax"], ["id"], ["always", {"action": "abort"}]]


def modes_of(terms: list[Term]) -> Counter[int]:
    """How often each kernel would rank by the terms."""
    engine = tr.Engine(CATALOG)
    found: Counter[int] = Counter()
    for term in terms:
        policy = tr.admit(term, CATALOG.fields)
        programs, at = engine._now.compiled.program(policy, engine._now.view(V2))
        found[int(programs.held.code[at + op.MODE])] += 1
    return found


def test_scorers__are_those_that_shortcuts_are_for() -> None:
    rng = Random(1)
    sums = modes_of([["policy", ["top"], sum_of_parts(rng, WORDS), *REST] for _ in range(100)])
    assert sums[op.BLEND] > 60
    chains = modes_of([["policy", ["top"], chain_of_steps(rng, WORDS), *REST] for _ in range(200)])
    assert chains[op.LEAST_FIRST] > 30
    assert chains[op.GREATEST_FIRST] > 30
    assert 0 < chains[op.GENERAL] < 40  # clamps the wrong way round


def test_few_clauses__leave_many_offers_mostly() -> None:
    rng = Random(2)
    engine = tr.Engine(CATALOG)
    left = [
        engine.rank(tr.admit(["policy", few_clauses(rng, V2, WORDS), ["zero"], *REST], CATALOG.fields)).survivors
        for _ in range(100)
    ]
    assert sum(count > 64 for count in left) > 40
    assert sum(count == 0 for count in left) < 30


def test_reshaped__keeps_the_rest_of_a_policy_of_either_version() -> None:
    rng = Random(4)
    for version in (V1, V2):
        words = generate.Vocabulary.of(OFFERS, version)
        changed = 0
        for _ in range(60):
            term = generate.random_term(rng, version, words, 4)
            for large in (True, False):
                other = reshaped(rng, term, version, words, large)
                assert (other[:-5], other[-2:]) == (term[:-5], term[-2:])
                assert tr.admit(other, CATALOG.fields).version == tr.admit(term, CATALOG.fields).version
                changed += other != term
        assert 40 < changed < 110
