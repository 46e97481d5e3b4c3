"""Every code: what calls it up, and what nearly does."""

from __future__ import annotations

import json

import pytest

import tenantrank as tr
from tenantrank.lint import CODES, Finding, Linter, lint
from tenantrank.lint.linting import MOST
from tests.lint.cases import APPEARS, CHEAPEST, FREE, NEARLY, OFFERS, UNPRICED, Case, also, both

NUMBERED = [(code, at) for code, cases in APPEARS.items() for at in range(len(cases))]
NEARLY_NUMBERED = [(code, at) for code, cases in NEARLY.items() for at in range(len(cases))]


def test_every_code_has_both_sorts_of_case() -> None:
    assert set(APPEARS) == set(NEARLY) == set(CODES) - {"TR302"}


def test_plain_policy__has_no_finding() -> None:
    assert Case().findings() == ()
    assert Case(version=1).findings() == ()


@pytest.mark.parametrize(("code", "at"), NUMBERED)
def test_code__is_told(code: str, at: int) -> None:
    assert code in APPEARS[code][at].codes()


@pytest.mark.parametrize(("code", "at"), NEARLY_NUMBERED)
def test_code__is_not_told(code: str, at: int) -> None:
    assert code not in NEARLY[code][at].codes()


def only(case: Case, code: str) -> Finding:
    (finding,) = [finding for finding in case.findings() if finding.code == code]
    return finding


def test_findings__are_by_code_and_each_has_its_page() -> None:
    case = Case(both(["not", ["provider_eq", "x"]], ["cmp", "price_out", "le", 1], ["cmp", "price_out", "le", 0.5]))
    findings = case.findings()

    assert [finding.code for finding in findings] == ["TR101", "TR201", "TR201", "TR204", "TR401"]
    for finding in findings:
        assert finding.page == f"docs/warnings.md#{finding.code.lower()}"
        assert str(finding) == f"{finding.code}: {finding.words}"
        assert json.loads(json.dumps(finding.to_json()))["code"] == finding.code
        assert hash(finding) == hash(finding)


@pytest.mark.parametrize(
    ("condition", "words", "nearest"),
    [
        (["not", ["provider_eq", "betta"]], "has the provider 'betta', and excluding it excludes nobody", "beta"),
        (["provider_eq", "zzz"], "has the provider 'zzz'", None),
        (["served_by_eq", "someon"], "has the server 'someon'", "someone"),
        (["not", ["not", ["has_cap", "tools"]]], "states the capability 'tools'", "supports_tools"),
    ],
)
def test_unknown_name__is_told_with_the_nearest(condition: object, words: str, nearest: str | None) -> None:
    finding = only(Case(condition), "TR101")

    assert finding.words == f"no offer {words}" + ("" if nearest is None else f"; did you mean {nearest!r}?")
    assert finding.data["nearest"] == nearest


def test_unknown_name__is_told_once_with_its_part() -> None:
    gate = ["gate", ["provider_eq", "x"], ["field", "price_out"]]
    when = ["when", ["family_eq", "y"], ["inject_seed", "seed"]]
    case = Case(["not", ["provider_eq", "x"]], scorer=gate, transform=when)
    found = [finding for finding in case.findings() if finding.code == "TR101"]

    assert [(finding.part, finding.name) for finding in found] == [("filter", "x"), ("transform", "y")]
    assert found[0].clause == '(not (provider_eq "x"))'
    assert found[1].clause is None


def test_unserved_entry__says_what_is_wrong_with_it() -> None:
    chain = [
        {"provider": "alpha", "model": "n"},
        {"provider": "alpha", "model": "n"},
        {"provider": "betta", "model": "m"},
        {"provider": "beta", "model": "mm"},
        {"provider": "beta", "model": "m"},
    ]
    found = [finding for finding in Case(selector=["chain", chain]).findings() if finding.code == "TR102"]

    assert [finding.name for finding in found] == ["alpha|n", "betta|m", "beta|mm"]
    assert [finding.data["nearest"] for finding in found] == [None, "beta", None]
    assert found[0].data["serving"] == ["beta", "gamma"]


def test_known_for_few__counts_who_fails_for_nothing_else() -> None:
    few = only(Case(both(["is", "no_log"], ["cmp", "price_out", "ge", 6])), "TR203")

    assert (few.field, few.data["known"], few.data["turned_away"]) == ("no_log", 0.25, 2)


def test_known_for_few__leaves_out_what_the_envelope_turns_away() -> None:
    case = Case(["is", "no_log"])
    engine = case.engine.narrowed(["not", ["provider_eq", "beta"]])
    (finding, *_) = lint(engine, tr.admit(case.term, engine.catalog.fields))

    assert (finding.code, finding.data["turned_away"]) == ("TR203", 1)


def test_passed_by_saying_nothing__counts_survivors() -> None:
    finding = only(Case(both(["not", ["is", "region_us"]], ["cmp", "price_out", "le", 5])), "TR206")

    assert (finding.field, finding.data["offers"]) == ("region_us", 2)


def test_flattened__counts_unknown_survivors() -> None:
    flat = only(Case(scorer=CHEAPEST, offers=UNPRICED), "TR301")

    assert (flat.part, flat.field, flat.data["unknown"]) == ("scorer", "price_out", 1)


def test_flattened__names_the_fields_whose_infinity_gets_through() -> None:
    clamped = ["clamp", 0, 100, ["field", "price_out"]]
    offers = tuple({**each, "latency_ms": 5.0 * at} if at else dict(each) for at, each in enumerate(UNPRICED))
    found = Case(scorer=["normalize", ["add", clamped, ["field", "latency_ms"]]], offers=offers).findings()

    assert [finding.field for finding in found if finding.code == "TR301"] == ["latency_ms"]


def test_envelope__bounds_who_passes_and_which_names_are_told() -> None:
    chain = [{"provider": "alpha", "model": "n"}, {"provider": "gamm", "model": "n"}]
    case = Case(["not", ["provider_eq", "gamm"]], selector=["chain", chain])
    engine = case.engine.narrowed(["not", ["provider_eq", "gamma"]])
    policy = tr.admit(case.term, engine.catalog.fields)
    misspelt, elsewhere, *rest = lint(engine, policy)
    everybody = lint(case.engine, policy)

    assert (misspelt.data["nearest"], everybody[0].data["nearest"]) == (None, "gamma")
    assert (elsewhere.data["serving"], everybody[1].data["serving"]) == (["beta"], ["beta", "gamma"])
    assert rest[-1].data == {"survivors": 3}
    assert everybody[-1].data == {"survivors": 4}


def test_shadowed__names_the_one_that_decides() -> None:
    clauses = [["cmp", "price_out", "le", bound] for bound in (8, 5, 20)]
    found = [finding for finding in Case(both(*clauses)).findings() if finding.code == "TR204"]

    assert {finding.data["beside"] for finding in found} == {'(cmp "price_out" "le" 5)'}
    assert {finding.clause for finding in found} == {f'(cmp "price_out" "le" {bound})' for bound in (8, 20)}


def test_ties__are_counted() -> None:
    assert only(Case(scorer=["zero"]), "TR305").data == {"tied": 4, "survivors": 4}
    assert only(Case(offers=also(price=2.0)), "TR305").data == {"tied": 2, "survivors": 5}


def test_winner__is_named() -> None:
    assert only(Case(offers=FREE), "TR303").name == "e"


def test_winner__of_a_draw_is_the_likeliest() -> None:
    case = Case(selector=["sample", 50], offers=FREE)
    engine = case.engine
    policy = tr.admit(case.term, engine.catalog.fields)
    drawn = {engine.rank(policy, seed=seed).offer_ids[0] for seed in range(8)}

    assert len(drawn) > 1
    for seed in range(8):
        assert [finding.name for finding in lint(engine, policy, seed=seed) if finding.code == "TR303"] == ["e"]


def test_prices__from_live_state_count() -> None:
    health = {"ema": {"delta|k": {"price_in": 1.0, "price_out": 3.0}}}

    assert "TR301" not in Case(scorer=CHEAPEST, offers=UNPRICED, health=health).codes()
    assert "TR206" not in Case(["cmp", "price_out", "ge", 1], offers=UNPRICED, health=health).codes()
    assert "TR206" in Case(["cmp", "price_out", "ge", 1], offers=UNPRICED).codes()


def test_many_findings_of_a_code__end_in_one_that_says_so() -> None:
    names = [["provider_eq", f"nobody-{number}"] for number in range(MOST + 5)]
    few = [finding for finding in Case(["or", *names[:MOST]]).findings() if finding.code == "TR101"]
    many = [finding for finding in Case(["or", *names]).findings() if finding.code == "TR101"]

    assert len(few) == MOST
    assert "more" not in few[-1].data
    assert len(many) == MOST + 1
    assert many[-1].data["more"] is True


def test_linter__gives_for_many_what_it_gives_for_each() -> None:
    engine = Case().engine
    policies = [
        tr.admit(Case(condition).term, engine.catalog.fields) for condition in (["bot"], ["is", "no_log"], ["top"])
    ]
    linter = Linter(engine)

    assert [linter.lint(policy) for policy in policies * 2] == [lint(engine, policy) for policy in policies] * 2


def test_lint__refuses_what_rank_refuses() -> None:
    engine = Case().engine
    foreign = tr.admit(Case(["is", "odd"]).term, {"odd": {"sort": "Bool"}})

    with pytest.raises(tr.PolicyError):
        lint(engine, foreign)
    with pytest.raises(tr.RequestError):
        lint(engine, tr.admit(Case().term, engine.catalog.fields), {"requirements": {"min_contxt": 1}})
    with pytest.raises(tr.RequestError):
        lint(engine, Case().term)  # type: ignore[arg-type]


def test_lint__copes_with_fields_of_other_sorts_and_without_a_day() -> None:
    odd = [{**offer, "price_zero_listed": 1.0} for offer in OFFERS]
    catalog = tr.Catalog.from_records(
        odd,
        {
            "deprecated": {"sort": "Num", "default": 0},
            "price_zero_listed": {"sort": "Num", "default": 0},
            "bench": {"sort": "Num", "default": 0},
        },
    )
    engine = tr.Engine(catalog)

    assert lint(engine, tr.admit(Case().term, catalog.fields)) == ()
