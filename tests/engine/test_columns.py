"""Columns of a part of the offers: what the column of all of them has there."""

from __future__ import annotations

from random import Random

import numpy as np

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine.columns import OBSERVED, Part, clamp01, column, first_known, observed
from tenantrank.engine.index import CatalogIndex
from tenantrank.policy.signature import V1, V2
from tests.engine.samples import catalog_of, offer, worlds


def test_column__of_some_offers_is_their_part_of_the_whole() -> None:
    rng = Random(1)
    for world, catalog in worlds(81, 18):
        index, health = CatalogIndex(catalog), Health.of(world.state)
        known = {f"{provider}|{family}" for provider, family in index.rows_by_pair}
        keys = rng.sample(sorted({*known, *health.ema}), min(4, len(known)))
        part = Part.under(index, keys)
        assert part.offers == len(part.rows) == len(set(part.rows.tolist()))
        assert set(part.rows.tolist()) == {row for rows in index.rows_under(keys) for row in rows}
        for version in (V1, V2):
            for name in (*OBSERVED[version], "credits"):
                whole = column(name, index, health, version, Part.whole(index, health))
                found = column(name, index, health, version, part)
                assert len(whole) == index.size
                assert found.tolist() == whole[part.rows].tolist()
                assert not np.isnan(whole).any()
                assert not np.signbit(whole[whole == 0]).any()


def test_observed__columns_are_all_that_observations_have_a_part_in() -> None:
    """Another state changes the columns named, and `credits`, and no other."""
    for world, catalog in worlds(82, 12):
        index = CatalogIndex(catalog)
        for version in (V1, V2):
            states = [Health.of(state) for state in (world.state, None)]
            for name in index.columns_of(version):
                one, other = (column(name, index, health, version, Part.whole(index, health)) for health in states)
                if name not in (*OBSERVED[version], "credits"):
                    assert one.tolist() == other.tolist(), name


def test_observed__is_nan_where_there_is_no_observation() -> None:
    catalog = catalog_of(offer("a", "p"), offer("b", "q"), offer("c", "p", "n"))
    health = Health.of({"ema": {"p|m": {"price_in": 2.0}, "q|m": {"price_out": 1.0}, "ghost|m": {"price_in": 5.0}}})
    whole = Part.whole(CatalogIndex(catalog), health)
    assert np.array_equal(observed("price_in", health, whole), [2.0, np.nan, np.nan], equal_nan=True)
    # A part may be of keys that were observed before and are no longer.
    gone = Part.under(CatalogIndex(catalog), ["p|n", "p|m"])
    assert np.array_equal(observed("price_in", health, gone), [np.nan, 2.0], equal_nan=True)


def test_first_known__takes_the_first_choice_that_is_a_number() -> None:
    nan = np.nan
    found = first_known(np.array([nan, 1.0, nan, -0.0]), np.array([2.0, 5.0, nan, 5.0]), 7.0)
    assert found.tolist() == [2.0, 1.0, 7.0, 0.0]
    assert not np.signbit(found).any()


def test_clamp01__holds_between_the_two_and_passes_nan() -> None:
    found = clamp01(np.array([-1.0, 0.0, 0.5, 1.0, np.inf, -np.inf, np.nan]))
    assert np.array_equal(found, [0.0, 0.0, 0.5, 1.0, 1.0, 0.0, np.nan], equal_nan=True)


def test_part__of_no_offers_is_empty() -> None:
    index = CatalogIndex(tr.Catalog.from_records([]))
    assert Part.under(index, ["p|m"]).offers == 0
    assert column("price_in", index, Health(), V2, Part.whole(index, Health())).tolist() == []
