"""An overlay's effect: what it attests holds while it is in force, and nothing it says ever opens a door by lapsing."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenantrank.catalog import Catalog
from tenantrank.errors import CatalogError

TODAY = date(2026, 11, 23)
RECORDS = [
    {"id": "azure|gpt", "provider_id": "azure", "model_family": "gpt-5", "geo": ["eu"], "regions": ["eu-north-1"]},
    {"id": "azure|gpt-us", "provider_id": "azure", "model_family": "gpt-5", "geo": ["us"], "no_log": True},
    {"id": "mistral|large", "provider_id": "mistral", "model_family": "mistral-large", "no_log": True, "price_in": 2},
    {"id": "mistral|small", "provider_id": "mistral", "model_family": "mistral-small", "scope": "own", "zdr": "none"},
]
SAID = pa.table(
    {
        "offer_id": ["azure|gpt", "mistral|large", "mistral|large"],
        "column": ["geo", "no_log", "price_in"],
        "source": ["list", "policy", "list"],
        "as_of": ["2026-11-12", "2026-11-01", "2026-11-12"],
    }
)


def base(**options):
    return Catalog.from_table(Catalog.from_records(RECORDS).table, provenance=SAID, **options)


def entry(match, values, **more):
    return {"match": match, "set": values, "contract": "MSA", "verified_at": "2026-09-01"} | more


def laid(*attestations, offers=(), as_of=TODAY, catalog=None):
    overlay = {"name": "acme", "attestations": list(attestations), "offers": list(offers)}
    return (catalog or base()).with_overlay(overlay, as_of)


def flags(catalog, name):
    return dict(zip(catalog.offer_ids, catalog.flags(name).tolist(), strict=True))


def test_attestation__sets_what_it_matches_and_leaves_the_first_catalog_alone():
    before = base()
    identity = before.catalog_id
    after = laid(entry({"provider_id": "azure", "geo": "eu"}, {"no_log": True, "retention_days": 0}), catalog=before)
    assert flags(after, "no_log") == {"azure|gpt": 1, "azure|gpt-us": 1, "mistral|large": 1, "mistral|small": -1}
    assert after.numbers("retention_days")[0] == 0
    assert after.warnings == ()
    assert after.catalog_id != identity
    assert flags(before, "no_log")["azure|gpt"] == -1
    assert before.catalog_id == identity
    assert (after.as_of, before.as_of) == (TODAY, None)


def test_attestation__opens_the_way_to_eu_without_logs():
    def both(catalog):
        eu, silent = flags(catalog, "region_only_eu"), flags(catalog, "no_log")
        return [offer for offer in catalog.offer_ids if eu[offer] == silent[offer] == 1]

    assert both(base()) == []
    assert both(laid(entry({"provider_id": "azure", "geo": "eu"}, {"no_log": True}))) == ["azure|gpt"]


def test_attestation__is_in_force_through_its_last_day():
    for day, known in ((date(2026, 8, 31), -1), (date(2026, 9, 1), 1), (date(2026, 12, 31), 1), (date(2027, 1, 1), -1)):
        after = laid(entry({"offer_id": "mistral|*"}, {"no_log": True}, valid_until="2026-12-31"), as_of=day)
        # The public value of mistral|large is true as well: it does not come back.
        assert (flags(after, "no_log")["mistral|large"], flags(after, "no_log")["mistral|small"]) == (known, known)
        assert bool(after.warnings) == (known == -1)


def test_attestation__that_lapsed_says_so_in_warnings_and_provenance():
    after = laid(entry({"provider_id": "mistral"}, {"no_log": True}, valid_until="2026-10-01", account="A1"))
    assert after.warnings == (
        "overlay acme: attestations[0] expired after 2026-10-01: no_log of 2 offers not attested",
    )
    rows = [tuple(row.values()) for row in after.provenance.to_pylist()]
    said = "overlay:MSA, account A1: attestation expired after 2026-10-01"
    assert ("mistral|large", "no_log", said, "2026-09-01") in rows
    assert ("mistral|large", "no_log", "policy", "2026-11-01") not in rows


def test_attestation__in_force_wins_over_a_lapsed_one_in_either_order():
    lapsed = entry({"provider_id": "mistral"}, {"no_log": True}, valid_until="2026-10-01")
    renewed = entry({"offer_id": "mistral|small"}, {"no_log": True}, valid_until="2027-10-01")
    for attestations in ((lapsed, renewed), (renewed, lapsed)):
        after = flags(laid(*attestations), "no_log")
        assert (after["mistral|large"], after["mistral|small"]) == (-1, 1)


def test_attestation__that_comes_later_wins():
    all_, one = entry({"provider_id": "*"}, {"no_log": True}), entry({"offer_id": "azure|gpt"}, {"no_log": False})
    assert flags(laid(all_, one), "no_log")["azure|gpt"] == 0
    assert flags(laid(one, all_), "no_log")["azure|gpt"] == 1


def test_attestation__of_null_withdraws_a_value():
    after = laid({"match": {"offer_id": "mistral|large"}, "set": {"no_log": None, "price_in": None}})
    assert flags(after, "no_log")["mistral|large"] == -1
    assert after.fields["price_in"].coverage == 0


GONE = {"valid_until": "2026-10-01"}


@pytest.mark.parametrize(
    "values",
    [
        {"scope": "internal"},
        {"scope": None},
        {"tier": "fallback"},
        {"peer_id": "peer"},
        {"deprecation_date": "2026-01-01"},
        {"status": "deprecated"},
        {"success_rate": 0.5},
        {"long_ctx_threshold": 1},
        {"risk": 9.0},
        {"cleared": False},
        {"open_weights": True},
        {"blocked": True},
        {"label": "x"},
        {"no_log": True, "success_rate": 0.5},
    ],
)
@pytest.mark.parametrize("days", [GONE, {"verified_at": "2027-01-01"}])
def test_attestation__that_lapses_withholds_offers_where_unknown_would_let_through(values, days):
    records = [record | {"risk": 1.0, "label": "y", "cleared": True, "blocked": False} for record in RECORDS]
    catalog = Catalog.from_records(records, {"cleared": {"sort": "Bool", "default": True}})
    said = "expired after 2026-10-01" if days is GONE else "is not in force before 2027-01-01"
    after = laid(entry({"provider_id": "mistral"}, values, **days), catalog=catalog)
    assert after.offer_ids == ("azure|gpt", "azure|gpt-us")
    told = next(name for name in values if name != "no_log")
    assert after.warnings[-1] == (
        f"overlay acme: attestations[0] {said}: 2 offers withheld, for their {told} is not attested"
    )
    assert set(after.provenance["offer_id"].to_pylist()) <= set(after.offer_ids)
    assert len(laid(entry({"provider_id": "mistral"}, values), catalog=catalog)) == 4


def test_attestation__that_lapses_leaves_offers_whose_value_another_one_states():
    lapsed = entry({"provider_id": "*"}, {"tier": "fallback", "scope": "own"}, **GONE)
    tier = {"match": {"provider_id": "mistral"}, "set": {"tier": "partner"}}
    scope = {"match": {"offer_id": "mistral|large"}, "set": {"scope": "own"}}
    own = {"like": "azure|gpt", "offer_id": "mine", "set": {"tier": "partner", "scope": "own"}}
    for attestations in ((lapsed, tier, scope), (tier, scope, lapsed)):
        after = laid(*attestations, offers=[own])
        assert after.offer_ids == ("mistral|large", "mine")
        assert "3 offers withheld, for their scope, tier is not attested" in after.warnings[0]


@pytest.mark.parametrize(
    ("field", "column", "value"),
    [
        ("region_eu", "geo", ["eu"]),
        ("zdr_default", "zdr", "default"),
        ("max_output", "max_output", 4096),
        ("price_own", "price_own", 1.0),
        ("retention_days", "retention_days", 0),
    ],
)
def test_attestation__that_lapses_withholds_offers_where_a_declared_default_would_let_through(field, column, value):
    bool_, number = {"sort": "Bool", "default": True}, {"sort": "Num", "default": 1e3}
    permissive = {field: bool_ if field in ("region_eu", "zdr_default") else number}
    records = [record | {"price_own": 2.0} for record in RECORDS]
    lapsed = entry({"offer_id": "azure|gpt"}, {column: value}, **GONE)
    assert len(laid(lapsed, catalog=Catalog.from_records(records))) == 4
    assert len(laid(lapsed, catalog=Catalog.from_records(records, permissive))) == 3


def test_attestation__that_lapses_leaves_unknown_what_shuts_out():
    values = {"price_in": 1, "latency_ms": 5, "tok_s": 9, "context": 8, "max_output": 9, "supports_tools": True}
    values |= {"quality_hint": 1, "geo": ["eu"], "regions": ["eu"], "trains_on_data": "no"}
    after = laid(entry({"provider_id": "mistral"}, values, **GONE))
    assert len(after) == 4
    assert all(row[name] is None for row in after.table.slice(2).to_pylist() for name in values)


PROMISED = {
    "no_log": True, "has_tee": True, "retention_days": 0, "zdr": "default", "trains_on_data": "no", "geo": ["us"],
    "regions": ["us-1"], "region_scope": "geo", "residency_options": ["us"], "policy_scope": "all", "region_ca": True,
}  # fmt: skip


@pytest.mark.parametrize(
    "where", ["provider_id", "base_url", "region_key", "cloud_region", "peer_id", "model_family", "wire_model_id"]
)
def test_own_offer__that_stands_elsewhere_takes_over_no_promise(where):
    catalog = Catalog.from_records([RECORDS[0] | PROMISED | {"price_in": 1.5, "lab": "openai"}])
    own = {"like": "azure|gpt", "offer_id": "mine", "set": {where: "other"}}
    copy = laid(offers=[own], catalog=catalog).table.slice(1).to_pylist()[0]
    assert {name: copy[name] for name in PROMISED} == dict.fromkeys(PROMISED)
    assert (copy["price_in"], copy[where]) == (1.5, "other")
    vouched = own | {"set": {where: "other", "zdr": "none"}, "contract": "C2", "verified_at": "2026-09-01"}
    # An attestation matches what the copy says of itself, not what the original said.
    silent = entry({"lab": "openai", "geo": "us"}, {"no_log": False})
    spoken = entry({"offer_id": "mine"}, {"has_tee": True})
    after = laid(silent, spoken, offers=[vouched], catalog=catalog)
    assert after.flags("no_log").tolist() == [0, -1]
    assert after.flags("has_tee").tolist() == [1, 1]
    assert after.table["zdr"].to_pylist() == ["default", "none"]
    said = [(row["column"], row["source"]) for row in after.provenance.to_pylist() if row["offer_id"] == "mine"]
    assert ("no_log", f"overlay:C2: unknown, for {where} is its own") in said
    assert [source for column, source in said if column == "has_tee"] == ["overlay:MSA"]
    here = laid(offers=[own | {"set": {"price_in": 2}}], catalog=catalog).table.slice(1).to_pylist()[0]
    assert {name: here[name] for name in PROMISED} == PROMISED


@pytest.mark.parametrize(
    ("where", "same", "other"),
    [
        ("provider_id", "azure", "mistral"),
        ("model_family", "gpt-5", "gpt-5-mini"),
        ("peer_id", None, "azure"),
        ("geo", ["us", "ca"], ["us"]),
        ("geo", ["ca", "us"], ["ca", "eu"]),
        ("geo", ["ca", "us"], None),
        ("regions", ["us-1"], ["us-2"]),
        ("region_scope", "geo", "global"),
    ],
)
def test_own_offer__stands_elsewhere_where_a_value_differs_from_the_originals(where, same, other):
    catalog = Catalog.from_records([RECORDS[0] | PROMISED | {"geo": ["ca", "us"]}])
    for value, known in ((same, True), (other, False)):
        values = {"geo": ["us", "ca"], "regions": ["us-1"], "region_scope": "geo", where: value}
        own = {"like": "azure|gpt", "offer_id": "mine", "set": values, "contract": "C", "verified_at": "2026-09-01"}
        copy = laid(offers=[own], catalog=catalog).table.to_pylist()[1]
        rest = set(PROMISED).difference(values)
        assert {name: copy[name] for name in rest} == {name: PROMISED[name] if known else None for name in rest}


OWN = {"like": "azure|gpt-us", "offer_id": "azure|gpt@se", "set": {"geo": ["eu"], "price_in": 3}, "contract": "C2"}


def test_own_offer__is_a_copy_at_the_end_with_its_own_values():
    after = laid(offers=[OWN | {"verified_at": "2026-09-01"}])
    assert after.offer_ids == (*base().offer_ids, "azure|gpt@se")
    assert flags(after, "region_eu")["azure|gpt@se"] == 1
    assert flags(after, "region_us") == {
        "azure|gpt": 0, "azure|gpt-us": 1, "mistral|large": -1, "mistral|small": -1, "azure|gpt@se": 0,
    }  # fmt: skip
    assert flags(after, "no_log")["azure|gpt@se"] == -1
    assert after.numbers("price_in")[4] == 3
    assert after.strings("provider_id")[1] == ("azure", "mistral")


def test_own_offer__is_matched_but_keeps_what_it_sets():
    own = OWN | {"verified_at": "2026-09-01", "set": {"geo": ["eu"], "price_in": 3, "zdr": "default"}}
    all_ = entry({"provider_id": "azure", "geo": "eu"}, {"zdr": "none", "no_log": False, "retention_days": 30})
    after = laid(all_, offers=[own])
    codes, names = after.strings("zdr")
    assert names[codes[4]] == "default"
    assert names[codes[0]] == "none"
    assert flags(after, "no_log")["azure|gpt@se"] == 0
    assert after.numbers("retention_days")[4] == 30


def test_own_offer__takes_over_what_is_said_of_the_original():
    own = {"like": "mistral|large", "offer_id": "mine", "set": {"price_in": 3}, "account": "A1"}
    after = laid(offers=[own])
    mine = [tuple(row.values())[1:] for row in after.provenance.to_pylist() if row["offer_id"] == "mine"]
    assert mine == [("no_log", "policy", "2026-11-01"), ("price_in", "overlay:acme, account A1", None)]


def test_own_offer__that_lapsed_or_has_no_original_is_not_added():
    lapsed = OWN | {"verified_at": "2026-01-01", "valid_until": "2026-11-22"}
    after = laid(offers=[lapsed, OWN | {"verified_at": "2026-01-01", "like": "gone", "offer_id": "x"}])
    assert after.offer_ids == base().offer_ids
    assert after.table.equals(base().table)
    assert after.warnings == (
        "overlay acme: offers[0] is not added: it expired after 2026-11-22",
        "overlay acme: offers[1] is not added: there is no offer 'gone' to be like",
    )


def test_entry__that_matches_nothing_is_a_warning():
    assert laid(entry({"provider_id": "nobody"}, {"no_log": True})).warnings == (
        "overlay acme: attestations[0] matches no offer",
    )


def test_overlays__can_be_laid_over_one_another():
    first = laid(entry({"provider_id": "nobody"}, {"no_log": True}))
    second = laid(entry({"offer_id": "azure|gpt"}, {"no_log": True}), catalog=first, as_of=None)
    assert second.warnings == first.warnings
    assert second.as_of == TODAY
    assert flags(second, "no_log")["azure|gpt"] == 1


def test_dates__are_judged_by_a_given_day_never_by_the_build_date():
    lasting = entry({"provider_id": "azure"}, {"no_log": True}, valid_until="2026-12-31")
    with pytest.raises(CatalogError, match=r"attestations\[0\]\.valid_until cannot be judged without as_of"):
        laid(lasting, as_of=None, catalog=base(built=TODAY))
    assert laid(lasting, as_of=None, catalog=base(as_of=TODAY)).warnings == ()
    assert laid(lasting, as_of=date(2027, 1, 1), catalog=base(as_of=TODAY)).warnings != ()
    with pytest.raises(CatalogError, match=r"attestations\[0\]\.verified_at cannot be judged without as_of"):
        laid(entry({"provider_id": "azure"}, {"no_log": True}, verified_at="2062-01-01"), as_of=None)
    with pytest.raises(CatalogError, match=r"offers\[0\]\.verified_at cannot be judged without as_of"):
        laid(offers=[OWN | {"verified_at": "2026-09-01"}], as_of=None)
    assert laid({"match": {"provider_id": "azure"}, "set": {"tier": "partner"}}, as_of=None).warnings == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"nolog": True}, "attestations[0].set: 'nolog' is not a column of this catalog"),
        ({"region_eu": True}, "attestations[0].set: 'region_eu' is not a column of this catalog"),
        ({"provider_id": "x"}, "attestations[0].set: 'provider_id' cannot be set here"),
        ({"no_log": "yes"}, "attestations[0].set.no_log: expected bool, got 'yes'"),
        ({"geo": "eu"}, "attestations[0].set.geo: expected list, got 'eu'"),
        ({"retention_days": 0.5}, "attestations[0].set.retention_days: expected a whole number"),
        ({"price_in": float("nan")}, "attestations[0].set.price_in: expected double, got nan"),
        ({"release_date": "soon"}, "attestations[0].set.release_date: expected a date"),
    ],
)
def test_set__is_checked_against_the_columns(values, words):
    with pytest.raises(CatalogError) as caught:
        laid(entry({"provider_id": "azure"}, values))
    assert str(caught.value).startswith("overlay acme: ")
    assert words in str(caught.value)


def test_set__takes_further_columns_and_declared_fields():
    records = [record | {"bench_x": 1.0} for record in RECORDS]
    catalog = Catalog.from_records(records, {"vip": {"sort": "Bool", "default": False}})
    after = laid(entry({"provider_id": "azure"}, {"bench_x": 2, "vip": True}), catalog=catalog)
    assert after.numbers("bench_x").tolist() == [2.0, 2.0, 1.0, 1.0]
    assert after.flags("vip").tolist() == [1, 1, -1, -1]


def test_own_offer__needs_an_id_of_its_own():
    with pytest.raises(CatalogError, match=r"offers\[0\]\.offer_id: 'azure\|gpt' already exists"):
        laid(offers=[OWN | {"verified_at": "2026-01-01", "offer_id": "azure|gpt"}])
    with pytest.raises(CatalogError, match=r"offers\[1\]\.offer_id"):
        laid(offers=[OWN | {"verified_at": "2026-01-01"}] * 2)


ENDS = entry({"provider_id": "azure"}, {"no_log": True}, valid_until="2026-12-31")


def test_overlaid_catalog__holds_until_its_first_date_passes():
    def until(*days):
        return laid(*(entry({"offer_id": "azure|gpt"}, {"no_log": True}, **day) for day in days)).metadata.holds_until

    assert until({}) is None
    assert until({"valid_until": "2026-11-23"}, {"valid_until": "2027-01-01"}) == TODAY
    assert until(GONE) is None
    assert until(GONE, {"verified_at": "2026-12-01", "valid_until": "2027-01-01"}) == date(2026, 11, 30)
    assert laid(offers=[OWN | {"verified_at": "2026-09-01"} | {"valid_until": "2027-02-01"}]).metadata.holds_until == (
        date(2027, 2, 1)
    )
    longer = entry({"offer_id": "azure|gpt"}, {"no_log": True}, valid_until="2027-06-30")
    assert laid(longer, catalog=laid(ENDS)).metadata.holds_until == date(2026, 12, 31)
    assert laid(ENDS, catalog=laid(longer)).metadata.holds_until == date(2026, 12, 31)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".json"])
def test_overlaid_catalog__is_refused_from_a_file_after_it_held(tmp_path, suffix):
    after, path = laid(ENDS), tmp_path / f"laid{suffix}"
    after.save(path)
    again = Catalog.load(path, as_of=date(2026, 12, 31))
    assert (again.catalog_id, again.metadata.holds_until) == (after.catalog_id, date(2026, 12, 31))
    for day, words in ((date(2027, 1, 1), "it is not for 2027-01-01"), (None, "as_of is needed")):
        with pytest.raises(CatalogError, match=f"holds until 2026-12-31 and {words}") as caught:
            Catalog.load(path, as_of=day)
        assert str(caught.value).startswith(f"{path}: ")


def test_overlaid_catalog__holds_from_its_last_beginning():
    def since(*days, catalog=None):
        entries = (entry({"offer_id": "azure|gpt"}, {"no_log": True}, **day) for day in days)
        return laid(*entries, catalog=catalog).metadata.holds_from

    assert laid({"match": {"offer_id": "azure|gpt"}, "set": {"tier": "partner"}}).metadata.holds_from is None
    assert since({}) == date(2026, 9, 1)
    assert since({}, {"verified_at": "2026-11-23"}, {"verified_at": "2027-01-01"}) == TODAY
    assert since({}, GONE) == date(2026, 10, 2)
    later = laid(entry({"offer_id": "azure|gpt"}, {"no_log": True}, verified_at="2026-11-01"))
    assert since({}, catalog=later) == date(2026, 11, 1)
    assert laid(offers=[OWN | {"verified_at": "2026-09-02"}]).metadata.holds_from == date(2026, 9, 2)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".json"])
def test_overlaid_catalog__is_refused_before_it_holds(tmp_path, suffix):
    after, path = laid(ENDS), tmp_path / f"laid{suffix}"
    after.save(path)
    assert Catalog.load(path, as_of=date(2026, 9, 1)).metadata == after.metadata
    words = "holds from 2026-09-01 and it is not for 2026-08-31"
    with pytest.raises(CatalogError, match=words):
        Catalog.load(path, as_of=date(2026, 8, 31))
    with pytest.raises(CatalogError, match=words):
        Catalog.from_table(after.table, as_of=date(2026, 8, 31))
    with pytest.raises(CatalogError, match=words):
        after.with_overlay({}, date(2026, 8, 31))
    pq.write_table(after.table, tmp_path / "bare.parquet")
    with pytest.raises(CatalogError, match=words):
        Catalog.load(tmp_path / "bare.parquet", as_of=date(2026, 8, 31))


def test_overlaid_catalog__is_refused_under_another_overlay_after_it_held():
    after = laid(ENDS)
    with pytest.raises(CatalogError, match="holds until 2026-12-31"):
        after.with_overlay({}, date(2027, 1, 1))
    assert after.with_overlay({}).as_of == TODAY


def test_overlaid_catalog__is_refused_as_a_bare_table_after_it_held(tmp_path):
    table = laid(ENDS).table
    pq.write_table(table, tmp_path / "bare.parquet")
    for day in (None, date(2027, 1, 1)):
        with pytest.raises(CatalogError, match="holds until 2026-12-31"):
            Catalog.from_table(table, as_of=day)
        with pytest.raises(CatalogError, match="holds until 2026-12-31"):
            Catalog.load(tmp_path / "bare.parquet", as_of=day)
    assert Catalog.from_table(table, as_of=TODAY).catalog_id == laid(ENDS).catalog_id


def test_overlaid_catalog__that_ends_is_not_written_where_its_end_cannot_be_said(tmp_path):
    with pytest.raises(CatalogError, match=r"laid\.csv: CSV cannot say .* holds until 2026-12-31"):
        laid(ENDS).save(tmp_path / "laid.csv")
    laid(entry({"provider_id": "azure"}, {"no_log": True})).save(tmp_path / "laid.csv")


def test_overlaid_catalog__that_ends_is_not_the_one_that_never_does():
    assert laid(ENDS).catalog_id != laid(entry({"provider_id": "azure"}, {"no_log": True})).catalog_id


def test_overlaid_catalog__survives_a_file(tmp_path):
    after = laid(entry({"provider_id": "azure"}, {"no_log": True}), offers=[OWN | {"verified_at": "2026-09-01"}])
    after.save(tmp_path / "laid.parquet")
    again = Catalog.load(tmp_path / "laid.parquet")
    assert again.catalog_id == after.catalog_id
    assert again.provenance.equals(after.provenance)


@pytest.mark.parametrize("name", ["price_in", "price_out", "price_cache_read", "retention_days"])
def test_attestation__sets_no_negative_price_or_retention(name):
    with pytest.raises(CatalogError, match=rf"set\.{name}: expected a number of at least 0"):
        laid(entry({"provider_id": "azure"}, {name: -5}))
    assert laid(entry({"provider_id": "azure"}, {name: 0})).numbers(name)[0] == 0
