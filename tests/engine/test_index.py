"""The catalog's bitsets: each atomic condition against the reference, offer by offer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine.index import EVERY_OFFER, NO_OFFER, CatalogIndex
from tenantrank.engine.lines import LINE
from tenantrank.policy.signature import V1, V2
from tests.engine.samples import catalog_of, offer, worlds
from tests.kernels.reference import bits_of, rows_of
from tests.reference.generate import FIELDS as WORLD_FIELDS
from tests.reference.predicates import holds
from tests.reference.words import CAPABILITIES, FAMILIES, PEERS, PROVIDERS, SCOPES

ATOMS = [
    *(("flag", name, ["is", name]) for name in ("has_tee", "no_log", "region_eu", "zdr", "trained_on")),
    *(("provider", name, ["provider_eq", name]) for name in (*PROVIDERS, "ghost", "")),
    *(("family", name, ["family_eq", name]) for name in (*FAMILIES, "ghost")),
    *(("served_by", name, ["served_by_eq", name]) for name in (*PEERS, *PROVIDERS, "ghost")),
    *(("tier", name, ["tier_eq", name]) for name in ("fallback", "marketplace", "partner")),
    *(("min_tier", name, ["min_tier", name]) for name in ("fallback", "marketplace", "partner")),
    *(("capability", name, ["has_cap", name]) for name in (*CAPABILITIES, "supports_nothing", "nothing")),
]


def test_row__holds_for_the_offers_that_the_reference_says() -> None:
    for world, catalog in worlds(51, 12):
        index = CatalogIndex(catalog)
        for kind, name, pred in ATOMS:
            wanted = {
                at
                for at, one in enumerate(world.offers)
                if holds(pred, one, {}, WORLD_FIELDS, world.tier_order) is None
            }
            assert rows_of(index.bits((kind, name))) == wanted, (kind, name)
            row = index.row((kind, name))
            assert (row == NO_OFFER) == (not wanted)
            assert index.row((kind, name)) == row
        assert rows_of(index.rows[EVERY_OFFER]) == set(range(len(world.offers)))
        assert rows_of(index.rows[NO_OFFER]) == set()


def test_row__knows_an_offers_own_tier_and_scope() -> None:
    for world, catalog in worlds(52, 12):
        index = CatalogIndex(catalog)
        for tier in ("fallback", "partner", "gold"):
            wanted = {at for at, one in enumerate(world.offers) if one.get("tier") == tier}
            assert rows_of(index.bits(("own_tier", tier))) == wanted
        for scope in (*SCOPES, "nobody"):
            wanted = {at for at, one in enumerate(world.offers) if one.get("scope") == scope}
            assert rows_of(index.bits(("scope", scope))) == wanted
        unscoped = {at for at, one in enumerate(world.offers) if one.get("scope") is None}
        assert rows_of(index.bits(("unscoped", ""))) == unscoped


def test_row__of_names_that_no_offer_has_takes_no_room() -> None:
    index = CatalogIndex(catalog_of(offer("a")))
    for number in range(1000):
        assert index.row(("provider", f"ghost-{number}")) == NO_OFFER
    assert len(index.rows) < 100


def test_row__keeps_what_it_gave_while_the_table_grows_under_threads() -> None:
    names = [f"provider-{number}" for number in range(300)]
    index = CatalogIndex(catalog_of(*(offer(name, name) for name in names)))

    def work(seed: int) -> list[tuple[int, int]]:
        order = Random(seed).sample(range(300), 300)
        found = [(at, index.row(("provider", names[at]))) for at in order]
        assert all(rows_of(index.rows[row]) == {at} for at, row in found)
        return sorted(found)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))
    assert all(answer == answers[0] for answer in answers)
    assert len({row for _, row in answers[0]}) == 300


def test_rows__begin_at_a_line_of_the_cache_however_many_there_are() -> None:
    offers = [offer(f"o{at}", f"p{at}") for at in range(80)]
    index = CatalogIndex(catalog_of(*offers))
    for at in range(80):
        index.row(("provider", f"p{at}"))
        assert index.rows.ctypes.data % LINE == 0
        assert index.unpack(index.bits(("provider", f"p{at}"))).tolist() == [row == at for row in range(80)]
    assert index.unpack(index.bits(("provider", "p0"))).sum() == 1


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 127, 128, 129])
def test_pack__is_undone_by_unpack_and_leaves_the_padding_clear(size: int) -> None:
    index = CatalogIndex(tr.Catalog.from_records([offer(str(at)) for at in range(size)]))
    assert index.words == 8
    rng = Random(size)
    for share in (0.0, 0.5, 1.0):
        rows = {at for at in range(size) if rng.random() < share}
        truth = np.array([at in rows for at in range(size)], dtype=bool)
        bits = index.pack(truth)
        assert bits.tolist() == bits_of(rows, index.words).tolist()
        assert index.unpack(bits).tolist() == truth.tolist()
        assert index.unpack(np.stack([bits, bits])).shape == (2, size)


def test_rows_by_pair__lists_every_row_once_ascending() -> None:
    index = CatalogIndex(
        catalog_of(offer("a", "p", "m"), offer("b", "q", "m"), offer("c", "p", "m"), offer("d", "p", "n"))
    )
    assert index.rows_by_pair == {("p", "m"): [0, 2], ("q", "m"): [1], ("p", "n"): [3]}
    keys = ["p|m", "q|n", "p|n", "nobody|m", "q|m", "p"]
    for _ in range(2):  # found, and found again
        assert index.rows_under(keys) == [[0, 2], [], [3], [], [1], []]
    # Two pairs may share a key of the live state.
    odd = CatalogIndex(catalog_of(offer("a", "p|m", "n"), offer("b", "p", "m|n")))
    assert [sorted(rows) for rows in odd.rows_under(["p|m|n", "|"])] == [[0, 1], []]


def test_row_of_offer__finds_ids_and_refuses_others() -> None:
    index = CatalogIndex(catalog_of(offer("a"), offer("b")))
    assert index.row_of_offer("b") == 1
    with pytest.raises(KeyError):
        index.row_of_offer("c")


def test_provider_values__spreads_by_provider() -> None:
    index = CatalogIndex(catalog_of(offer("a", "p"), offer("b", "q"), offer("c", "p")))
    assert index.provider_values({"p": 2.0, "z": 5.0}, 0.5, np.float64).tolist() == [2.0, 0.5, 2.0]
    empty = CatalogIndex(tr.Catalog.from_records([]))
    assert empty.provider_values({"p": 2.0}, 0.5, np.float64).tolist() == []


def test_columns_of__are_the_numbers_of_the_version_and_its_scorers() -> None:
    catalog = tr.Catalog.from_records([offer("a")], WORLD_FIELDS)
    index = CatalogIndex(catalog)
    found: dict[Any, dict[str, int]] = {version: index.columns_of(version) for version in (V1, V2)}
    assert set(found[V1]) - set(found[V2]) == {"*partner", "*quality", "quality", "quality_hint"} - set(found[V2])
    assert {"price_in", "context", "credits", "bench_handicap", "max_output"} <= set(found[V2])
    for positions in found.values():
        assert sorted(positions.values()) == list(range(len(positions)))
        assert "has_tee" not in positions
