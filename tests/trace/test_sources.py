"""Where numbers come from."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.policy.signature import V1, V2
from tenantrank.trace.sources import bounds_of, fields_of, observed_numbers, shown, source_of
from tests.engine.samples import ABC, policy_of

STATED = tr.Catalog.from_table(
    pa.table(
        {
            "offer_id": ["a", "b"],
            "provider_id": ["p", "q"],
            "model_family": ["m", "m"],
            "price_out": [3.0, None],
            "no_log": [True, None],
            "release_date": [date(2026, 1, 1), None],
        }
    ),
    as_of=date(2026, 1, 11),
    provenance=pa.table(
        {
            "offer_id": ["a", "a"],
            "column": ["price_out", "no_log"],
            "source": ["list@1", "overlay"],
            "as_of": ["2026-01-02", None],
        }
    ),
)
HEALTH = {"ema": {"q|m": {"price_out": 8.0, "ema_tok_s": 50.0}}}


@pytest.mark.parametrize(
    ("field", "offer", "version", "source"),
    [
        ("price_out", "a", V2, "list@1, 2026-01-02"),
        ("price_out", "b", V2, "observed: the live state"),
        ("price_out", "b", V1, "observed: the live state"),
        ("price_in", "a", V2, "no source states it: the field's default"),
        ("tok_s", "b", V1, "observed: the live state"),
        ("tok_s", "b", V2, "no source states it: the field's default"),
        ("no_log", "a", V2, "overlay"),
        ("no_log", "b", V2, "no source states it: the field's default"),
        ("age_days", "a", V2, "worked out from the catalog"),
        ("credits", "a", V2, "the live state"),
        ("breaker_open", "a", V2, "the live state"),
        ("nothing", "a", V2, "a field that the catalog does not have"),
        ("price_out", "zzz", V2, "a field that the catalog does not have"),
    ],
)
def test_source_of__tells_apart_what_states_a_value(field: str, offer: str, version: str, source: str) -> None:
    known = V1 if version == V1 else V2
    assert source_of(tr.Engine(STATED, HEALTH), known, field, offer) == source


def test_observed_numbers__have_their_values() -> None:
    found = observed_numbers(tr.Engine(STATED, HEALTH), V2, "b", ["price_out", "age_days", "nothing"])

    assert [number.value for number in found] == ["8", found[1].value, "unknown"]
    assert [number.what for number in found] == ["price_out of b", "age_days of b", "nothing of b"]


def test_fields_and_bounds__are_those_of_the_terms() -> None:
    condition = ["or", ["cmp", "price_out", "le", 0.5], ["not", ["cmp", "tok_s", "ge", 1e16]]]
    policy = policy_of(ABC, condition, ["add", ["field", "price_in"], ["field", "price_out"]])

    assert set(fields_of([*policy.clauses, policy.scorer])) == {"price_out", "tok_s", "price_in"}
    assert set(bounds_of(policy.filter)) == {("price_out", "0.5"), ("tok_s", "1e+16")}


@pytest.mark.parametrize(("number", "text"), [(1.0, "1"), (0.1, "0.1"), (-3.0, "-3"), (1e300, "1e+300"), (2.5, "2.5")])
def test_shown__is_the_shortest(number: float, text: str) -> None:
    assert shown(number) == text
