from __future__ import annotations

from datetime import date

import pytest

from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable, dated


def test_key__case_and_documented_spellings_do_not_count() -> None:
    assert SourceOffer("x", "MiniMax-M2").key == SourceOffer("x", "minimax-m2").key
    assert SourceOffer("fireworks-ai", "accounts/fireworks/models/m").key == SourceOffer("fireworks-ai", "m").key
    assert SourceOffer("google-vertex", "m@default").key == SourceOffer("google-vertex", "m").key


def test_key__provider_and_region_count() -> None:
    keys = {SourceOffer("x", "m").key, SourceOffer("y", "m").key, SourceOffer("x", "m", "eu").key}
    assert len(keys) == 3
    assert SourceOffer("x", "m@default").key != SourceOffer("x", "m").key


def test_add__a_second_key_fills_gaps_but_mixes_no_prices() -> None:
    table = SourceTable(SourceInfo("s", "s@1", "2026-01-01", "given", "MIT"))
    table.add(SourceOffer("x", "m", None, {"price_in": 1.0, "context": 10}))
    table.add(SourceOffer("x", "M", None, {"price_in": 2.0, "price_cache_read": 0.5, "context": 20, "max_output": 5}))
    assert len(table.offers) == 1
    assert table.offers[0].values == {"price_in": 1.0, "context": 10, "max_output": 5}
    assert table.left_out == {"another key of an offer already read": 1}


@pytest.mark.parametrize(
    ("stated", "given", "expected"),
    [
        (date(2026, 1, 1), date(2026, 2, 2), ("2026-01-01", "content")),
        (None, date(2026, 2, 2), ("2026-02-02", "given")),
        (None, None, ("2026-03-03", "read")),
    ],
)
def test_dated__prefers_the_sources_own_date(
    stated: date | None, given: date | None, expected: tuple[str, str]
) -> None:
    assert dated(stated, given, date(2026, 3, 3)) == expected
