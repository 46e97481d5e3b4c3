"""An overlay's effect: what it attests holds while it is in force, and nothing it says ever opens a door by lapsing."""

from datetime import date

import pyarrow as pa
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


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"offer_id": "azure|gpt"}, [0]),
        ({"provider_id": ["azure", "mistral"]}, [0, 1, 2, 3]),
        ({"provider_id": "mistral", "model_family": "gpt-5"}, []),
        ({"model_family": "mistral-*"}, [2, 3]),
        ({"offer_id": "*|*l*"}, [2, 3]),
        ({"offer_id": "azure.gpt"}, []),
        ({"model_family": ["gpt", "*-small"]}, [3]),
        ({"geo": ["us", "eu"]}, [0, 1]),
        ({"regions": "eu-north-1"}, [0]),
        ({"geo": "e*"}, []),
        ({"lab": "*"}, []),
    ],
)
def test_match__needs_every_key_by_any_of_its_values(match, expected):
    tiers = laid({"match": match, "set": {"tier": "partner"}}).strings("tier")[0].tolist()
    assert [row for row, code in enumerate(tiers) if code >= 0] == expected


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


def test_attestation__of_one_half_of_a_place_withdraws_the_other():
    after = laid(entry({"offer_id": "azure|gpt"}, {"geo": ["uk"]}))
    assert after.lists("geo")[0] == ["uk"]
    assert after.lists("regions")[0] is None
    assert "overlay:MSA: unknown, for only geo is attested" in after.provenance["source"].to_pylist()
    both = laid(entry({"offer_id": "azure|gpt"}, {"geo": ["uk"]}), entry({"provider_id": "azure"}, {"regions": ["x"]}))
    assert (both.lists("geo")[0], both.lists("regions")[0]) == (["uk"], ["x"])
    assert (both.lists("geo")[1], both.lists("regions")[1]) == (None, ["x"])


def test_attestation__that_lapses_never_lifts_a_restriction():
    gone = {"valid_until": "2026-10-01"}
    after = laid(
        entry({"offer_id": "mistral|large"}, {"scope": "internal", "deprecation_date": "2026-01-01"}, **gone),
        entry({"offer_id": "mistral|small"}, {"scope": None, "success_rate": 0.5}, **gone),
    )
    codes, names = after.strings("scope")
    assert [names[code] if code >= 0 else None for code in codes] == [None, None, "internal", "own"]
    assert flags(after, "deprecated")["mistral|large"] == 1
    assert after.numbers("success_rate")[3] == 0.5


OWN = {"like": "azure|gpt-us", "offer_id": "azure|gpt@se", "set": {"geo": ["eu"], "price_in": 3}, "contract": "C2"}


def test_own_offer__is_a_copy_at_the_end_with_its_own_values():
    after = laid(offers=[OWN | {"verified_at": "2026-09-01"}])
    assert after.offer_ids == (*base().offer_ids, "azure|gpt@se")
    assert flags(after, "region_eu")["azure|gpt@se"] == 1
    assert flags(after, "region_us") == {
        "azure|gpt": 0, "azure|gpt-us": 1, "mistral|large": -1, "mistral|small": -1, "azure|gpt@se": 0,
    }  # fmt: skip
    assert flags(after, "no_log")["azure|gpt@se"] == 1
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
    assert after.catalog_id == base().catalog_id
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
    assert laid(entry({"provider_id": "azure"}, {"no_log": True}), as_of=None).warnings == ()


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


def test_overlaid_catalog__survives_a_file(tmp_path):
    after = laid(entry({"provider_id": "azure"}, {"no_log": True}), offers=[OWN | {"verified_at": "2026-09-01"}])
    after.save(tmp_path / "laid.parquet")
    again = Catalog.load(tmp_path / "laid.parquet")
    assert again.catalog_id == after.catalog_id
    assert again.provenance.equals(after.provenance)
