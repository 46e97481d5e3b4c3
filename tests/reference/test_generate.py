"""The random catalogs and terms: admitted, complete, repeatable."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from tests.reference import generate
from tests.reference.evaluate import rank
from tests.reference.language import admit, kinds_of, normal_form, sort_of
from tests.reference.observe import offer_id
from tests.reference.samples import ALWAYS
from tests.reference.signature import SIGNATURES, TERM_SORTS, V1, V2, Term


def ops_of(term: Term, version: str) -> set[str]:
    found = {term[0]}
    for kind, part in zip(kinds_of(term, version), term[1:], strict=True):
        if kind in TERM_SORTS:
            found |= ops_of(part, version)
    return found


@pytest.mark.parametrize("version", [V1, V2])
def test_generate__makes_admitted_terms_of_every_op(version: str) -> None:
    rng = Random(1)
    offers = generate.random_catalog(rng, 30)
    words = generate.Vocabulary.of(offers, version)
    found: set[str] = set()
    for _ in range(300):
        term = generate.random_term(rng, version, words, 8)
        assert admit(term, generate.FIELDS, version=version) == "Policy"
        form = normal_form(term, version)
        assert normal_form(form, version) == form
        found |= ops_of(term, version)
    assert found == set(SIGNATURES[version])


@pytest.mark.parametrize("n", [0, 1, 63, 64, 65, 127, 128, 129, 1000])
def test_generate__a_catalog_is_json_with_unique_ids_and_ranks(n: int) -> None:
    rng = Random(n)
    offers = generate.random_catalog(rng, n)
    assert json.loads(json.dumps(offers, allow_nan=False)) == offers
    words = generate.Vocabulary.of(offers, V2)
    ctx = generate.random_ctx(rng, offers, words, V2)
    everyone = rank(["policy", ["top"], ["zero"], ["ordered"], ["id"], ALWAYS], offers, ctx, generate.FIELDS)
    assert everyone.ordered == [offer_id(offer) for offer in offers]
    assert len(set(everyone.ordered)) == n
    result = rank(generate.random_term(rng, V2, words, 12), offers, ctx, generate.FIELDS)
    assert len(result.ordered) + len(result.rejected) <= n


def test_generate__is_the_same_for_the_same_seed() -> None:
    def drawn() -> tuple[Any, ...]:
        rng = Random(7)
        offers = generate.random_catalog(rng, 65)
        words = generate.Vocabulary.of(offers, V2)
        ctx = generate.random_ctx(rng, offers, words, V2)
        return offers, ctx, generate.random_term(rng, V2, words, 10), generate.random_failplan(rng)

    assert drawn() == drawn()


def test_generate__spoiled_terms_are_refused_or_admitted_without_another_error() -> None:
    rng = Random(3)
    words = generate.Vocabulary.of(generate.random_catalog(rng, 5), V2)
    sorts = {
        sort_of(generate.spoiled(rng, generate.random_term(rng, V2, words, 5)), generate.FIELDS) for _ in range(400)
    }
    assert None in sorts
    assert "Policy" in sorts
    assert sorts <= {None, *TERM_SORTS}
