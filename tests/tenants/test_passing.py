"""Hard clauses that an offer passes by stating nothing."""

import pytest

from tenantrank.policy.policy import admit_term
from tenantrank.policy.signature import Field, Fields
from tenantrank.tenants.passing import passed_by_unknown
from tests.reference.predicates import holds

FIELDS = Fields(
    {
        "flag": {"sort": "Bool", "default": False},
        "assumed": {"sort": "Bool", "default": True},
        "score": {"sort": "Num", "default": 0.0},
        "stated": Field("stated", "Bool", False, coverage=1.0),
        "rare": Field("rare", "Bool", False, coverage=0.1),
    }
)


def passed(term):
    return list(passed_by_unknown(admit_term(term, FIELDS).root, FIELDS))


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (["is", "flag"], []),
        (["not", ["is", "flag"]], [("flag", "not is flag")]),
        (["not", ["not", ["is", "flag"]]], []),
        (["is", "assumed"], [("assumed", "is assumed")]),
        (["not", ["is", "assumed"]], []),
        (["not", ["is", "stated"]], []),
        (["not", ["is", "rare"]], [("rare", "not is rare")]),
        (["not", ["or", ["is", "flag"], ["is", "rare"]]], [("flag", "not is flag"), ("rare", "not is rare")]),
        (["or", ["is", "flag"], ["not", ["is", "rare"]]], [("rare", "not is rare")]),
        (["not", ["is", "disabled"]], []),
        (["cmp", "credits", "le", 5], []),
        (["cmp", "success_rate", "ge", 0.9], [("success_rate", "cmp success_rate ge 0.9")]),
        (["not", ["cmp", "score", "gt", 3]], [("score", "not cmp score gt 3")]),
        (["cmp", "price_in", "le", 3], []),
        (["and", ["meets_req"], ["provider_eq", "a"], ["not", ["has_cap", "x"]]], []),
    ],
)
def test_passed_by_unknown__names_field_and_test(term, expected):
    assert passed(term) == expected


@pytest.mark.parametrize("relation", ["lt", "le", "eq", "ne", "ge", "gt"])
@pytest.mark.parametrize("bound", [-1, 0, 1])
def test_passed_by_unknown__agrees_with_the_language_on_an_offer_that_states_nothing(relation, bound):
    term = ["cmp", "score", relation, bound]
    for asked in (term, ["not", term]):
        offer = {"id": "o", "provider_id": "p", "model_family": "f"}
        survives = holds(asked, offer, {}, {"score": {"sort": "Num", "default": 0.0}}) is None
        assert bool(passed(asked)) is survives
