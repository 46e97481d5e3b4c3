"""Canonical texts read back: every term comes to itself, and nothing that is no canonical text comes to anything."""

from __future__ import annotations

import pytest

import tenantrank as tr
from tenantrank.policy.describe import describe
from tenantrank.trace.terms import policy_of, readable, term_of
from tests.engine.samples import worlds


def test_policy_of__gives_what_was_written() -> None:
    seen = 0
    for world, catalog in worlds(3, 60):
        for case in world.cases:
            policy = tr.admit(case.term, catalog.fields)
            assert policy_of(policy.encoding, catalog.fields) == policy
            assert describe(readable(policy.encoding)) == describe(policy)
            seen += 1
    assert seen >= 30


def test_term_of__gives_envelopes() -> None:
    fields = tr.Catalog.from_records([]).fields
    envelope = tr.admit_term(["and", ["is", "no_log"], ["not", ["provider_eq", 'a"\\\n\x01é']]], fields)

    assert term_of(envelope.encoding, fields) == envelope
    assert describe(readable(envelope.encoding)) == describe(envelope)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sigma-pol/v2:",
        "sigma-pol/v3:(top)",
        "sigma-pol/v2:top",
        "sigma-pol/v2:(top",
        "sigma-pol/v2:(top) ",
        "sigma-pol/v2:(top)(bot)",
        "sigma-pol/v2:(cmp price_out le 1)",
        'sigma-pol/v2:(cmp "price_out" "le"  1)',
        'sigma-pol/v2:(cmp "price_out" "le" 1.0)',
        'sigma-pol/v2:(cmp "price_out" "le" NaN)',
        'sigma-pol/v2:(cmp "nothing" "le" 1)',
        "sigma-pol/v2:(and (top) (bot))",
        "sigma-pol/v2:" + "(not " * 5000 + "(top)" + ")" * 5000,
        "sigma-pol/v2:(unknown_op)",
        "sigma-pol/v2:(top \ud800)",
    ],
)
def test_term_of__refuses_what_is_no_canonical_text(text: str) -> None:
    with pytest.raises(tr.TenantrankError):
        term_of(text, tr.Catalog.from_records([]).fields)
