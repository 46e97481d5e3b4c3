"""Conditions by themselves: what an engine says of each is what a policy with it alone would filter."""

from __future__ import annotations

import numpy as np

import tenantrank as tr
from tests.engine.samples import ABC, ranked, survivors


def test_holds__each_condition_is_what_explanations_say() -> None:
    for _, case, catalog, _, policy, _ in ranked(71, 9):
        engine = tr.Engine(catalog)
        explanation = engine.rank(policy, case.request).explain()
        found = engine.holds(policy.clauses, policy.version, case.request)

        assert found.dtype == bool
        assert found.shape == (len(policy.clauses), len(catalog))
        assert np.array_equal(found, ~explanation.failing)


def test_holds__leaves_the_envelope_out() -> None:
    condition = tr.admit_term(["provider_eq", "q"], ABC.fields).root
    engine = tr.Engine(ABC, envelope=["provider_eq", "p"])

    assert engine.holds([condition]).tolist() == [[False, True, False, True]]
    assert engine.holds([]).shape == (0, 4)


def test_holds__by_the_estimates_of_the_request() -> None:
    cheap = tr.admit_term(["cmp", "expected_cost_usd", "le", 0.002], ABC.fields).root
    engine = tr.Engine(tr.Catalog.from_records([{**row, "price_in": 1.0} for row in OFFERS]))
    estimates = {"requirements": {"estimated_input_tokens": 1000, "estimated_output_tokens": 500}}

    assert engine.holds([cheap]).tolist() == [[False] * 3]
    assert engine.holds([cheap], request=estimates).tolist() == [[True, False, False]]


OFFERS = [{"id": f"o{price}", "provider_id": "p", "model_family": "m", "price_out": price} for price in (1.0, 4.0, 9.0)]


def test_holds__is_what_a_filter_of_it_lets_through() -> None:
    condition = ["or", ["provider_eq", "q"], ["is", "region_eu"]]
    term = ["policy", condition, ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]]
    engine = tr.Engine(ABC)
    (found,) = engine.holds([tr.admit_term(condition, ABC.fields).root])

    assert {ABC.offer_ids[row] for row in np.flatnonzero(found)} == survivors(
        engine.rank(tr.admit(term, ABC.fields)), ABC
    )
