"""Prices that an overlay sets, and whether both are still listed as 0."""

from datetime import date

import pytest

from tenantrank.catalog import Catalog

TODAY = date(2026, 11, 23)
PAID = {"id": "paid", "provider_id": "p", "model_family": "m", "price_in": 1.0, "price_out": 2.0}
FREE = {"id": "free", "provider_id": "p", "model_family": "m", "price_in": 0.0, "price_out": 0.0}
NONE = {"id": "none", "provider_id": "p", "model_family": "m"}
FLAGGED = [PAID | {"price_zero_listed": False}, FREE | {"price_zero_listed": True}, NONE]
GONE = {"verified_at": "2026-01-01", "valid_until": "2026-10-01"}


def laid(*attestations, offers=(), records=FLAGGED):
    overlay = {"name": "acme", "attestations": list(attestations), "offers": list(offers)}
    return Catalog.from_records(records).with_overlay(overlay, TODAY)


def entry(offer, values, **more):
    return {"match": {"offer_id": offer}, "set": values} | more


def flags(catalog):
    return dict(zip(catalog.offer_ids, catalog.flags("price_zero_listed").tolist(), strict=True))


@pytest.mark.parametrize("records", [FLAGGED, [PAID, FREE, NONE]])
def test_price_zero_listed__follows_the_prices_that_are_set(records):
    assert flags(laid(records=records)) == {"paid": 0, "free": 1, "none": -1}
    both = {"price_in": 0, "price_out": 0}
    after = laid(entry("paid", both), entry("free", {"price_out": 3}), entry("none", both), records=records)
    assert flags(after) == {"paid": 1, "free": 0, "none": 1}
    half = laid(entry("paid", {"price_in": None}), entry("free", {"price_in": 0}), records=records)
    assert flags(half) == {"paid": -1, "free": 1, "none": -1}
    mine = [{"like": "free", "offer_id": f"mine{k}", "set": {"price_in": k}} for k in (0, 1)]
    assert flags(laid(offers=mine, records=records)) == {"paid": 0, "free": 1, "none": -1, "mine0": 1, "mine1": 0}


def test_price_zero_listed__stays_as_it_is_set():
    both = {"price_in": 0, "price_out": 0}
    assert flags(laid(entry("paid", both | {"price_zero_listed": False})))["paid"] == 0
    stated = entry("paid", {"price_zero_listed": False})
    assert flags(laid(stated, entry("paid", both)))["paid"] == flags(laid(entry("paid", both), stated))["paid"] == 0
    mine = {"like": "free", "offer_id": "mine", "set": {"price_in": 1, "price_zero_listed": True}}
    assert flags(laid(offers=[mine]))["mine"] == 1


def test_price_zero_listed__says_where_it_comes_from():
    after = laid(entry("paid", {"price_in": 0, "price_out": 0}, contract="MSA", verified_at="2026-09-01"))
    rows = [tuple(row.values()) for row in after.provenance.to_pylist()]
    assert ("paid", "price_zero_listed", "overlay:MSA", "2026-09-01") in rows


@pytest.mark.parametrize("records", [FLAGGED, [PAID, FREE, NONE]])
def test_price__that_lapses_withholds_where_zero_was_listed_or_attested(records):
    price = {"price_in": 4.0, "price_out": 5.0}
    after = laid(entry("*", price, **GONE), records=records)
    assert flags(after) == {"paid": -1, "none": -1}
    assert after.warnings[-1].endswith("1 offers withheld, for their price_zero_listed is not attested")
    zero = {"price_in": 0, "price_out": 0}
    assert len(laid(entry("*", zero, **GONE), records=records)) == 0
    assert flags(laid(entry("*", {"price_out": 0}, **GONE), records=records)) == {"paid": -1, "none": -1}
    renewed = laid(entry("*", price, **GONE), entry("*", price), records=records)
    assert flags(renewed) == {"paid": 0, "free": 0, "none": 0}


def test_price__in_doubt_withholds_where_zero_is_in_doubt():
    mine = [{"like": record["id"], "offer_id": f"my-{record['id']}", "set": {"lab": "x"}} for record in FLAGGED]
    after = laid(entry(["paid", "free", "none"], {"price_in": 3, "price_out": 3}), offers=mine)
    assert after.numbers("price_in").tolist()[:4] == [3.0] * 4
    assert flags(after) == {"paid": 0, "free": 0, "none": 0, "my-paid": 0, "my-none": -1}
