"""Ranking preferences as scorer terms."""

import pytest

from tenantrank.errors import PolicyError
from tenantrank.tenants.document import Blend, Highest, Lowest
from tenantrank.tenants.preferences import scorer_term

SCORERS = {"cheapest": Lowest(lowest="price_out"), "best": Highest(highest="bench"), "own": ["field", "tok_s"]}


@pytest.mark.parametrize(
    ("preference", "term"),
    [
        ("cheapest", ["neg", ["field", "price_out"]]),
        ("best", ["field", "bench"]),
        ("own", ["field", "tok_s"]),
        (Lowest(lowest="latency_ms"), ["neg", ["field", "latency_ms"]]),
        (["zero"], ["zero"]),
        (
            Blend.model_validate({"blend": {"best": 0.7, "cheapest": 0.3, "own": {"tenant": "w", "default": 1}}}),
            [
                "add",
                ["scale", 0.7, ["normalize", ["field", "bench"]]],
                ["scale", 0.3, ["neg", ["normalize", ["field", "price_out"]]]],
                ["scale", {"tenant": "w", "default": 1}, ["field", "tok_s"]],
            ],
        ),
    ],
)
def test_scorer_term__scores_one_field_by_value_and_normalizes_in_a_blend(preference, term):
    assert scorer_term(preference, SCORERS) == term


@pytest.mark.parametrize("preference", ["cheepest", Blend.model_validate({"blend": {"cheepest": 1}})])
def test_scorer_term__refuses_an_unknown_name(preference):
    with pytest.raises(PolicyError, match="unknown scorer 'cheepest', did you mean 'cheapest'"):
        scorer_term(preference, SCORERS)
