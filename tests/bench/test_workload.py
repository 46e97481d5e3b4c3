"""The work is the same on every machine, has the columns and shapes promised, and is guarded."""

from __future__ import annotations

import hashlib
import json
from itertools import islice

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.bench.offers import CATEGORIES, FLAGS, NUMBERS, synthetic_table
from tenantrank.bench.policies import MIXES, SHAPES, terms
from tenantrank.bench.workload import Workload, passing, unguarded
from tenantrank.policy.builder import cheapest, is_, policy


def sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def test_catalog__is_the_same_for_a_seed_on_every_machine() -> None:
    assert synthetic_table(600, 3).equals(synthetic_table(600, 3))
    assert not synthetic_table(600, 3).equals(synthetic_table(600, 4))
    assert (
        sha256(synthetic_table(200, 1).to_pylist())
        == "4c3d019e943ecfe0a6394c5c628b55a321d9e471898ed14a176976d1c6d2aa03"
    )


def test_policies__are_the_same_for_a_seed_on_every_machine() -> None:
    assert (
        sha256(list(islice(terms("six shapes", 1), 60)))
        == "8f486f19b30f85a949322047423d5c68c3b090a5d4d2f88c236ee8609aad135c"
    )
    assert list(islice(terms("distinct", 1), 12)) != list(islice(terms("distinct", 2), 12))


def test_catalog__has_the_columns_promised() -> None:
    table = synthetic_table(2048)

    assert (len(NUMBERS), len(FLAGS), len(CATEGORIES)) == (14, 12, 5)
    assert set(table.column_names) == {"offer_id", *NUMBERS, *FLAGS, *CATEGORIES}
    for name in (*NUMBERS, *FLAGS):
        assert 0 < table[name].null_count < 2048, name


def test_catalog__prices_are_skewed_tied_and_sometimes_unknown() -> None:
    prices = synthetic_table(8192)["price_out"].drop_null().to_numpy()

    assert np.mean(prices) > 1.5 * np.median(prices)
    assert len(set(prices.tolist())) < 500
    assert 0.005 < np.mean(prices == 0) < 0.05
    assert all(price == float(f"{price:.1e}") for price in prices.tolist())


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("offers", [96, 1024])
def test_work__no_survivor_has_an_infinite_value_in_a_ranked_field(mix: str, offers: int) -> None:
    work = Workload.make(mix, offers, 240, seed=9)

    assert unguarded(work) == []


def test_unguarded__finds_a_policy_without_a_ceiling() -> None:
    work = Workload.make("free", 96, 1)
    open_policy = tr.admit(policy(is_("region_eu"), cheapest("price_out")), work.catalog.fields)

    assert unguarded(Workload("own", 0, work.catalog, (*work.policies, open_policy))) == [1]


def test_work__shapes_are_in_equal_parts_and_mostly_neither_empty_nor_everything() -> None:
    work = Workload.make("six shapes", 2048, 240)
    survivors = np.array([passing(rule.condition, work.columns).sum() for rule in work.rules])

    for at, name in enumerate(SHAPES):
        assert 20 < np.median(survivors[at :: len(SHAPES)]) < 1200, name
    assert [len(rule.parts) for rule in work.rules[:6]] == [1, 1, 1, 1, 3, 3]
    assert len({policy.identity for policy in work.policies}) > 200


def test_distinct__no_two_policies_are_equal() -> None:
    work = Workload.make("distinct", 64, 3000)

    assert len({policy.identity for policy in work.policies}) == 3000


def test_digest__tells_work_apart() -> None:
    work = Workload.make("six shapes", 64, 12)

    assert work.digest == Workload.make("six shapes", 64, 12).digest
    assert len({work.digest, work.first(11).digest, Workload.make("six shapes", 64, 12, seed=2).digest}) == 3
    assert work.first(99) is work


def test_terms__an_unknown_mix_is_named() -> None:
    with pytest.raises(ValueError, match="no mix is called 'seven'"):
        next(terms("seven", 1))
