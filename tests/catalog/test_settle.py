"""What attestations come to together: a permission needs a sure match, a doubt counts against the offer."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantrank.catalog import Catalog

TODAY = date(2026, 11, 23)
GONE = {"valid_until": "2026-10-01"}
EU = {"id": "p|eu", "provider_id": "p", "model_family": "m", "geo": ["eu"], "regions": ["eu-1"], "region_key": "eu-1"}
US = {"id": "p|us", "provider_id": "p", "model_family": "m", "geo": ["us"], "regions": ["us-1"], "region_key": "us-1"}


def entry(match, values, **more):
    return {"match": match, "set": values, "contract": "MSA", "verified_at": "2026-09-01"} | more


def copy_of(original, offer="mine", **values):
    evidence = {"contract": "C2", "verified_at": "2026-09-01"}
    return {"like": original, "offer_id": offer, "set": values or {"quantization": "fp8"}} | evidence


def laid(*attestations, offers=(), records=(EU, US), fields=None):
    catalog = Catalog.from_records(records, fields)
    return catalog.with_overlay({"name": "acme", "attestations": list(attestations), "offers": list(offers)}, TODAY)


def column(catalog, name):
    return dict(zip(catalog.offer_ids, catalog.table[name].to_pylist(), strict=True))


MOVED = entry({"offer_id": "p|eu"}, {"geo": ["us"], "regions": ["us-1"]})


@pytest.mark.parametrize("first", [True, False])
def test_permission__does_not_reach_an_offer_that_the_overlay_says_is_elsewhere(first):
    silent = entry({"geo": "eu"}, {"no_log": True, "tier": "partner", "success_rate": 1.0})
    after = laid(*((MOVED, silent) if first else (silent, MOVED)))
    assert column(after, "no_log") == {"p|eu": None, "p|us": None}
    assert column(after, "tier")["p|eu"] is None
    place = int(first)
    assert after.warnings == (
        f"overlay acme: attestations[{place}] may not be about 1 offers and counts only against them: this overlay "
        "changes what it matches by",
    )


@pytest.mark.parametrize(
    ("match", "moved"),
    [
        ({"geo": "eu"}, {"geo": ["us"]}),
        ({"regions": "eu-1"}, {"regions": ["us-1"]}),
        ({"regions": "eu-1"}, {"geo": ["eu"]}),
        ({"region_key": "eu-*"}, {"region_key": "us-1"}),
        ({"cloud_region": "c1"}, {"cloud_region": None}),
        ({"wire_model_id": "w"}, {"wire_model_id": "v"}),
        ({"lab": "l"}, {"lab": "k"}),
    ],
)
def test_permission__needs_every_column_matched_to_be_left_as_it_was(match, moved):
    record = EU | {"cloud_region": "c1", "wire_model_id": "w", "lab": "l"}
    silent = entry({"provider_id": "p"} | match, {"no_log": True})
    assert column(laid(silent, records=[record]), "no_log")["p|eu"] is True
    assert column(laid(silent, entry({"provider_id": "p"}, moved), records=[record]), "no_log")["p|eu"] is None


def test_permission__does_not_rest_on_a_place_that_lapsed():
    lapsed = entry({"provider_id": "p"}, {"geo": ["eu"], "regions": ["eu-1"]}, **GONE)
    after = laid(entry({"geo": "eu"}, {"no_log": True}), lapsed)
    assert column(after, "no_log")["p|eu"] is None


def test_permission__may_say_itself_what_it_matches_by():
    finer = entry({"geo": "eu"}, {"geo": ["eu"], "regions": ["eu-2"], "no_log": True})
    assert column(laid(finer), "no_log")["p|eu"] is True
    narrower = entry({"regions": "eu-1"}, {"geo": ["eu"], "regions": ["eu-2"], "no_log": True})
    assert column(laid(narrower), "no_log")["p|eu"] is True
    half = entry({"regions": "eu-1"}, {"geo": ["eu"], "no_log": True})
    assert column(laid(half), "no_log")["p|eu"] is True
    # A renewal of what lapsed, in either order; and not where a later one says otherwise.
    for entries in ((finer | GONE, finer), (finer, finer | GONE)):
        assert column(laid(*entries), "no_log")["p|eu"] is True
    assert column(laid(finer, MOVED), "no_log")["p|eu"] is None


def test_permission__is_judged_by_what_the_others_come_to():
    """The second entry falls to the third, and the first, which rests on the second, with it."""
    first = entry({"geo": "eu"}, {"no_log": True})
    base = entry({"offer_id": "p|eu"}, {"geo": ["us"], "regions": ["us-1"]})
    second = entry({"region_key": "eu-1"}, {"geo": ["eu"], "regions": ["eu-1"]})
    third = entry({"offer_id": "p|eu"}, {"region_key": "us-1"})
    assert column(laid(base, second, first), "no_log")["p|eu"] is True
    after = laid(base, second, first, third)
    assert column(after, "geo")["p|eu"] is None
    assert column(after, "no_log")["p|eu"] is None


def test_negative_statement__reaches_an_offer_by_either_place():
    records = [EU | {"no_log": True, "tier": "partner", "price_in": 1.0, "zdr": "default"}]
    worse = {"no_log": False, "tier": "marketplace", "price_in": 5, "zdr": "none", "scope": "own"}
    for place in ("eu", "us"):
        after = laid(entry({"geo": place}, worse), MOVED, records=records)
        assert {name: column(after, name)["p|eu"] for name in worse} == worse
        gone = laid(entry({"geo": place}, {"no_log": True}, **GONE), MOVED, records=records)
        assert column(gone, "no_log")["p|eu"] is None
        assert len(laid(entry({"geo": place}, {"tier": "fallback"}, **GONE), MOVED, records=records)) == 0


def test_negative_statement__leaves_what_a_later_sure_one_says():
    later = entry({"offer_id": "p|eu"}, {"no_log": True, "vip": True})
    unsure = entry({"geo": "eu"}, {"no_log": False, "vip": False})
    fields = {"vip": {"sort": "Bool", "default": True}}
    after = laid(unsure, MOVED, later, fields=fields)
    assert (column(after, "no_log")["p|eu"], column(after, "vip")["p|eu"]) == (True, True)
    assert laid(later, MOVED, unsure, fields=fields).offer_ids == ("p|us",)


def test_flag__that_may_be_a_ban_or_a_merit_withholds_an_offer_in_doubt():
    fields = {"blocked": {"sort": "Bool", "default": False}}
    after = laid(entry({"geo": "eu"}, {"blocked": True}), MOVED, fields=fields)
    assert after.offer_ids == ("p|us",)
    assert (
        "attestations[0]: 1 offers withheld, for it is not sure whether their blocked is attested"
        in (after.warnings[-1])
    )
    assert len(laid(entry({"geo": "eu"}, {"blocked": False}), MOVED, fields=fields)) == 2


def test_copy__takes_no_better_value_from_what_names_its_original():
    named = entry({"offer_id": "p|eu"}, {"no_log": True, "tier": "partner", "success_rate": 1.0, "price_in": 1})
    after = laid(named, offers=[copy_of("p|eu")], records=[EU | {"success_rate": 0.9, "price_in": 2.0}])
    row = after.table.to_pylist()[1]
    assert (row["no_log"], row["tier"], row["success_rate"], row["price_in"]) == (None, None, 0.9, 2.0)
    assert after.warnings == ()


def test_copy__takes_every_worse_value_from_what_names_its_original():
    public = {"no_log": True, "trains_on_data": "no", "zdr": "default", "tier": "partner", "success_rate": 1.0}
    worse = {"no_log": False, "trains_on_data": "yes", "zdr": "none", "tier": "fallback", "success_rate": 0.5}
    public |= {"price_in": 1.0, "context": 900, "retention_days": 0, "supports_tools": True}
    worse |= {"price_in": 3.0, "context": 100, "retention_days": 30, "supports_tools": False, "scope": "own"}
    worse |= {"deprecation_date": date(2026, 1, 1)}
    after = laid(entry({"offer_id": "p|eu"}, worse), offers=[copy_of("p|eu")], records=[EU | public])
    assert {name: column(after, name)["mine"] for name in worse} == worse
    own = laid(entry({"offer_id": "p|eu"}, worse), offers=[copy_of("p|eu", **public)], records=[EU | public])
    assert {name: column(own, name)["mine"] for name in public} == public


def test_copy__of_an_offer_whose_place_is_attested_has_no_known_place():
    after = laid(MOVED, offers=[copy_of("p|eu")])
    assert (column(after, "geo")["mine"], column(after, "regions")["mine"]) == (None, None)


@pytest.mark.parametrize("days", [GONE, {"verified_at": "2027-01-01"}])
def test_copy__loses_what_lapses_for_its_original_and_is_withheld_with_it(days):
    records = [EU | {"no_log": True, "tier": "partner"}, US]
    promise = laid(entry({"offer_id": "p|eu"}, {"no_log": True}, **days), offers=[copy_of("p|eu")], records=records)
    assert column(promise, "no_log")["mine"] is None
    tier = entry({"offer_id": "p|eu"}, {"tier": "partner"}, **days)
    assert laid(tier, offers=[copy_of("p|eu")], records=records).offer_ids == ("p|us",)
    elsewhere = copy_of("p|eu", provider_id="q", geo=["us"])
    assert laid(tier, offers=[elsewhere], records=records).offer_ids == ("p|us",)
    assert laid(tier, offers=[copy_of("p|eu", tier="partner")], records=records).offer_ids == ("p|us", "mine")
    assert laid(tier, offers=[copy_of("p|us")], records=records).offer_ids == ("p|us", "mine")


def test_copy__stays_where_what_lapsed_for_its_original_is_renewed():
    tier = entry({"offer_id": "p|eu"}, {"tier": "partner", "no_log": True})
    records = [EU | {"tier": "marketplace", "no_log": True}]
    after = laid(tier | GONE, tier, offers=[copy_of("p|eu")], records=records)
    assert column(after, "tier") == {"p|eu": "partner", "mine": "marketplace"}
    assert column(after, "no_log") == {"p|eu": True, "mine": True}
    # What the copy itself matches needs a renewal that reaches it.
    all_ = tier | GONE | {"match": {"provider_id": "p"}}
    assert laid(all_, tier, offers=[copy_of("p|eu")], records=records).offer_ids == ("p|eu",)


def test_copy__in_doubt_over_a_flag_is_withheld_unless_it_is_said_of_the_copy():
    fields = {"blocked": {"sort": "Bool", "default": False}}
    blocked = entry({"offer_id": "p|eu"}, {"blocked": True})
    after = laid(blocked, offers=[copy_of("p|eu")], fields=fields)
    assert after.offer_ids == ("p|eu", "p|us")
    assert laid(blocked, offers=[copy_of("p|eu", blocked=True)], fields=fields).flags("blocked").tolist() == [1, -1, 1]
    both = laid(blocked, entry({"offer_id": "mine"}, {"blocked": False}), offers=[copy_of("p|eu")], fields=fields)
    assert both.flags("blocked").tolist() == [1, -1, 0]


@pytest.mark.parametrize("lapsed", [True, False])
@pytest.mark.parametrize("public", [True, False, None])
def test_flag__that_is_no_promise_and_lapses_withholds(lapsed, public):
    """A lapsed TRUE that kept an offer out must not let it in, nor a lapsed TRUE that let it in go on doing so."""
    records = [EU | {"blocked": public}, US | {"blocked": True}]
    for days in (GONE, {"verified_at": "2027-01-01"}):
        after = laid(entry({"offer_id": "p|eu"}, {"blocked": lapsed}, **days), records=records)
        assert after.offer_ids == ("p|us",)
    for name in ("price_zero_listed", "open_weights"):
        after = laid(entry({"offer_id": "p|eu"}, {name: lapsed}, **GONE), records=[EU | {name: public}, US])
        assert after.offer_ids == ("p|us",)


MATCHES = [{"geo": "eu"}, {"geo": "us"}, {"region_key": "a"}, {"region_key": "b"}, {"geo": "eu", "region_key": "a"}, {}]
SETS = [{"geo": ["eu"]}, {"geo": ["us"]}, {"region_key": "a"}, {"region_key": "b"}, {"geo": ["eu"], "region_key": "b"}]
SETS += [{"no_log": True}, {"no_log": True}, {"no_log": True, "geo": ["eu"]}]
ENTRY = st.tuples(st.sampled_from(MATCHES), st.sampled_from(SETS), st.sampled_from([{}, {}, {}, GONE]))
COPIED = st.sampled_from([{}, *SETS])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([["eu"], ["us"], None]), st.lists(ENTRY, min_size=2, max_size=4), COPIED)
def test_promise__is_made_only_by_an_entry_about_what_the_overlay_leaves(geo, entries, copied):
    record = {"id": "x", "provider_id": "p", "model_family": "m", "geo": geo, "region_key": "a"}
    attestations = [entry({"provider_id": "p"} | match, values, **days) for match, values, days in entries]
    after = laid(*attestations, offers=[copy_of("x", **copied)], records=[record])

    def holds(row, match, values):
        """Every column matched holds what it must, or is the entry's own to say."""
        left = {"geo": row["geo"] or [], "region_key": [row["region_key"]]}
        return all(name in values or wanted in left[name] for name, wanted in match.items())

    for row in after.table.to_pylist():
        if row["no_log"] and not (row["offer_id"] == "mine" and "no_log" in copied):
            assert any(holds(row, *rest) for *rest, days in entries if "no_log" in rest[1] and not days)
