"""Laws of linting on random worlds: it never fails, changes nothing, and says what the decision itself says."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.lint import CODES, Finding, lint
from tenantrank.lint.scoring import operand
from tenantrank.lint.subject import Subject
from tenantrank.lint.surroundings import Surroundings
from tenantrank_kernels import JIT_DISABLED
from tests.engine.samples import ranked, same, world_catalog
from tests.fuzz.differential import draw_world

WORLDS = 12


def told(findings: tuple[Finding, ...], code: str) -> list[Finding]:
    return [finding for finding in findings if finding.code == code and "more" not in finding.data]


@settings(max_examples=5 if JIT_DISABLED else 25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0, 1, 2, 7, 40]))
def test_lint__never_fails_and_changes_no_decision(seed: int, size: int) -> None:
    world = draw_world(seed, 0, size)
    catalog = world_catalog(world)
    engine = tr.Engine(catalog, world.state, world.envelope)
    for case in world.cases:
        policy = tr.admit(case.term, catalog.fields)
        before = engine.rank(policy, case.request, case.seed)
        findings = lint(engine, policy, case.request, case.seed)

        assert same(before, engine.rank(policy, case.request, case.seed))
        assert same(before, tr.Engine(catalog, world.state, world.envelope).rank(policy, case.request, case.seed))
        assert findings == lint(engine, policy, case.request, case.seed)
        for finding in findings:
            assert finding.code in CODES
            assert finding.words == finding.words.strip() != ""
            assert "\n" not in finding.words


def test_outcome__is_that_of_the_decision() -> None:
    for _, case, _, engine, policy, decision in ranked(61, WORLDS):
        codes = {finding.code for finding in lint(engine, policy, case.request, case.seed)}

        assert ("TR401" in codes) == (decision.survivors == 0)
        assert ("TR402" in codes) == (decision.survivors > 0 and not decision.offer_ids)


def test_clauses__that_none_or_all_pass_are_those_of_the_explanation() -> None:
    seen = 0
    for _, case, catalog, engine, policy, decision in ranked(62, WORLDS):
        findings = lint(engine, policy, case.request, case.seed)
        failed = {clause.encoding: clause.failed for clause in decision.explain().clauses}
        nobody = {finding.clause for finding in told(findings, "TR201")}
        everybody = {finding.clause for finding in told(findings, "TR202")}
        own = {clause.encoding for clause in policy.clauses} - {"(top)"}

        if len(catalog):
            assert nobody == {encoding for encoding in own if failed[encoding] == len(catalog)}
            assert everybody <= {encoding for encoding in own if failed[encoding] == 0}
            seen += len(nobody) + len(everybody)
    assert seen


def test_shadowed_clauses__decide_nothing_and_contradicting_ones_leave_nobody() -> None:
    for _, case, _, engine, policy, decision in ranked(63, WORLDS):
        findings = lint(engine, policy, case.request, case.seed)
        for finding in told(findings, "TR204"):
            failing = {clause.encoding: at for at, clause in enumerate(decision.explain().clauses)}
            rows = decision.explain().failing
            weaker, stronger = (rows[failing[str(each)]] for each in (finding.clause, finding.data["beside"]))
            assert not (weaker & ~stronger).any()
        if told(findings, "TR205"):
            assert decision.survivors == 0


def test_known_for_few__counts_offers_that_would_pass_were_the_field_known() -> None:
    for _, case, catalog, engine, policy, decision in ranked(64, WORLDS):
        explanation = decision.explain()
        for finding in told(lint(engine, policy, case.request, case.seed), "TR203"):
            (clause,) = [clause for clause in explanation.clauses if clause.encoding == finding.clause]
            alone = [
                failures
                for offer in catalog.offer_ids
                if len(failures := explanation.of(offer)) == 1 and failures[0].clause.encoding == finding.clause
            ]
            assert len(alone) == clause.alone
            assert 0 < finding.data["turned_away"] <= len(alone)
            # The explanation shows a negated test as a whole, without the value seen.
            if not clause.encoding.startswith("(not"):
                assert finding.data["turned_away"] == sum(failures[0].observed is None for failures in alone)


def test_ties__are_those_of_the_scores() -> None:
    seen = 0
    for _, case, _, engine, policy, _ in ranked(65, WORLDS):
        findings = told(lint(engine, policy, case.request, case.seed), "TR305")
        selector: Any = policy.selector
        while selector.op == "top_k":
            selector = selector.children[0]
        term = policy.term
        decision = engine.rank(tr.admit([*term[:-3], ["argmax"], *term[-2:]], policy.fields), case.request)
        best = decision.scores[:1]
        tied = sum(score == best[0] or (math.isnan(score) and math.isnan(best[0])) for score in decision.scores)

        assert [finding.data["tied"] for finding in findings] == (
            [tied] if selector.op == "argmax" and tied > 1 else []
        )
        seen += len(findings)
    assert seen


def test_winner__that_is_warned_of_comes_first() -> None:
    for _, case, catalog, engine, policy, decision in ranked(66, WORLDS):
        drawn = "(sample " in policy.selector.encoding
        for code in ("TR303", "TR304"):
            for finding in told(lint(engine, policy, case.request, case.seed), code):
                assert finding.name is not None
                assert finding.field is not None
                assert drawn or finding.name == decision.offer_ids[0]
                assert catalog.flags(finding.field)[catalog.offer_ids.index(finding.name)] == 1


def test_operands__are_what_the_engine_scores() -> None:
    compared = 0
    for _, case, catalog, engine, policy, _ in ranked(67, WORLDS):
        if policy.version != "sigma-pol/v2":
            continue
        subject = Subject(policy, Surroundings(engine, case.request))
        term = policy.term
        decision = engine.rank(tr.admit([*term[:-3], ["argmax"], *term[-2:]], policy.fields), case.request)
        rows = [catalog.offer_ids.index(offer) for offer in decision.offer_ids]
        assert sorted(rows) == np.flatnonzero(subject.survivors).tolist()
        if rows:
            values = np.full(len(catalog), math.nan)
            values[subject.survivors] = operand(policy.scorer, subject)
            np.testing.assert_allclose(values[rows], decision.scores, rtol=1e-9, atol=1e-300)
            compared += 1
    assert compared
