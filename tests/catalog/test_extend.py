from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.catalog.extend import with_flags, with_offers
from tenantrank.errors import CatalogError

OFFERS: list[dict[str, Any]] = [
    {"id": "a|x", "provider_id": "a", "model_family": "x", "price_in": 1.0, "price_out": 2.0},
    {"id": "b|x", "provider_id": "b", "model_family": "x", "capabilities": {"supports_tools": True}},
]
OWN: dict[str, Any] = {"id": "own|z", "provider_id": "own", "model_family": "z", "price_in": 0.0, "our_rack": 7.0}


def test_with_offers__come_after_those_there_are_with_columns_of_their_own() -> None:
    catalog = tr.Catalog.from_records(OFFERS, as_of=date(2026, 3, 1))
    more = with_offers(catalog, [OWN])

    assert more.offer_ids == ("a|x", "b|x", "own|z")
    assert more.numbers("our_rack").tolist()[2] == 7.0
    assert np.isnan(more.numbers("our_rack")[:2]).all()
    assert more.numbers("price_out")[0] == 2.0
    assert more.capability("tools").tolist() == [-1, -1, -1] or more.capability("supports_tools").tolist() == [
        -1,
        1,
        -1,
    ]
    assert more.as_of == date(2026, 3, 1)
    assert more.catalog_id != catalog.catalog_id


def test_with_offers__is_what_records_together_would_be() -> None:
    together = tr.Catalog.from_records([*OFFERS, OWN])

    assert with_offers(tr.Catalog.from_records(OFFERS), [OWN]).catalog_id == together.catalog_id


def test_with_offers__none_changes_nothing() -> None:
    catalog = tr.Catalog.from_records(OFFERS)

    assert with_offers(catalog, []) is catalog


def test_with_offers__an_id_that_is_there_or_a_fault_is_refused() -> None:
    catalog = tr.Catalog.from_records(OFFERS)

    with pytest.raises(CatalogError, match=r"a\|x"):
        with_offers(catalog, [{**OWN, "id": "a|x"}])
    with pytest.raises(CatalogError, match="price_in"):
        with_offers(catalog, [{**OWN, "price_in": "cheap"}])
    with pytest.raises(CatalogError, match="provider_id"):
        with_offers(catalog, [{"id": "own|z", "model_family": "z"}])


def test_with_offers__provenance_and_warnings_stay() -> None:
    bundled = tr.Catalog.bundled()
    more = with_offers(bundled, [OWN])

    assert len(more) == len(bundled) + 1
    assert more.provenance is not None
    assert more.provenance.equals(bundled.provenance)
    assert more.built == bundled.built
    assert more.warnings == bundled.warnings


def test_with_flags__every_flag_is_a_field_for_policies() -> None:
    catalog = with_flags(
        tr.Catalog.from_records(OFFERS), {"up": np.array([True, False]), "down": np.array([False, True])}
    )
    policy = tr.admit(
        ["policy", ["is", "up"], ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]], catalog.fields
    )

    assert catalog.flags("up").tolist() == [1, 0]
    assert catalog.flags("down").tolist() == [0, 1]
    assert tr.Engine(catalog).rank(policy).offer_ids == ("a|x",)


def test_with_flags__say_something_else_for_another_catalog_id() -> None:
    catalog = tr.Catalog.from_records(OFFERS)
    ids = {with_flags(catalog, {"up": np.array(flags)}).catalog_id for flags in ([True, False], [True, True])}

    assert len(ids | {catalog.catalog_id}) == 3


@pytest.mark.parametrize("name", ["price_out", "priced", "offer_id", "vip"])
def test_with_flags__a_name_that_is_taken_is_refused(name: str) -> None:
    catalog = tr.Catalog.from_records(OFFERS, fields={"vip": {"sort": "Bool", "default": False}})

    with pytest.raises(CatalogError, match=name):
        with_flags(catalog, {name: np.array([True, False])})
