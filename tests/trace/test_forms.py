"""Forms: exact on the way out and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import struct
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tenantrank as tr
from tenantrank.catalog.health import METRICS
from tenantrank.engine.request import reduced_seed
from tenantrank.trace.canonical import canonical
from tenantrank.trace.forms import (
    bits_of,
    catalog_bytes,
    catalog_of,
    health_bytes,
    health_of,
    number_form,
    number_of,
    order_digest,
    request_form,
    request_of,
    seed_form,
)
from tests.engine.samples import worlds

numbers = st.floats(allow_nan=False, min_value=-1e308)


@given(st.floats())
def test_number_form__keeps_every_bit_in_the_text(value: float) -> None:
    written = canonical({"score": number_form(value)})

    assert bits_of(number_of(json.loads(written)["score"])) == bits_of(value)


@pytest.mark.parametrize("form", [None, True, "1", "infinity", [], {}])
def test_number_of__refuses_what_is_never_written(form: Any) -> None:
    with pytest.raises(tr.TenantrankError, match="expected a number"):
        number_of(form)


def test_bits_of__tells_zeros_apart_and_takes_all_nans_for_one() -> None:
    assert bits_of(0.0) != bits_of(-0.0)
    assert bits_of(-math.nan) == bits_of(math.inf - math.inf) == bits_of(math.nan)


def test_order_digest__is_that_of_the_documented_bytes() -> None:
    written = b"\x00\x00\x00\x01a" + struct.pack(">d", 1.5) + b"\x00\x00\x00\x02\xc3\xa9" + struct.pack(">d", -0.0)

    assert order_digest(["a", "é"], [1.5, -0.0]) == hashlib.sha256(written).hexdigest()
    assert order_digest(["ab"], [0.0]) != order_digest(["a"], [0.0])


def test_request__comes_back() -> None:
    for world, _ in worlds(5, 30):
        for case in world.cases:
            request = tr.Request.of(case.request)
            assert request_of(json.loads(canonical(request_form(request)))) == request


@pytest.mark.parametrize("seed", [None, 0, -9, 2**53 - 1, 2**53, -(2**53), -(2**200)])
def test_seed_form__decides_the_same_and_any_reader_of_json_has_it(seed: int | None) -> None:
    found = seed_form(seed)

    assert reduced_seed(found) == reduced_seed(seed)
    assert found is None or abs(found) < 2**53
    assert found == seed or abs(seed or 0) >= 2**53
    assert reduced_seed(seed_form(10**5000)) == reduced_seed(10**5000)


@given(
    ema=st.dictionaries(st.text(max_size=9), st.dictionaries(st.sampled_from(METRICS), numbers), max_size=4),
    breakers=st.dictionaries(st.text(max_size=9), st.booleans(), max_size=4),
    disabled=st.dictionaries(st.text(max_size=9), st.just(object()), max_size=4),
    credits=st.dictionaries(st.text(max_size=9), numbers, max_size=4),
)
def test_health__comes_back(ema: Any, breakers: Any, disabled: Any, credits: Any) -> None:
    health = tr.Health(ema, breakers, disabled, credits)
    content = health_bytes(health)
    again = health_of(content)

    assert health_bytes(again) == content
    assert (again.ema, again.breakers, again.credits) == (health.ema, health.breakers, health.credits)
    assert again.disabled.keys() == health.disabled.keys()


def test_health__equal_states_have_one_form() -> None:
    one = tr.Health({"a|x": {"price_in": 1}, "b|y": {"ema_tok_s": 2.0}}, {"q": True, "p": False}, {"z": 1, "y": 2})
    other = tr.Health({"b|y": {"ema_tok_s": 2}, "a|x": {"price_in": 1.0}}, {"p": False, "q": True}, {"y": 0, "z": 0})

    assert health_bytes(one) == health_bytes(other)
    assert b"Infinity" not in health_bytes(tr.Health(credits={"p": math.inf}))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"\xff", b'{"ema":{"a":1},"breakers":{},"disabled":[],"credits":{}}']
)
def test_health_of__refuses_another_form(content: bytes) -> None:
    with pytest.raises(tr.TenantrankError, match="live state"):
        health_of(content)


def test_catalog__comes_back_whole() -> None:
    for _, catalog in worlds(9, 20):
        again = catalog_of(catalog_bytes(catalog), catalog.catalog_id, None)
        assert again.table.equals(catalog.table)
        assert again.fields == catalog.fields
        assert again.fields.tier_order == catalog.fields.tier_order


def test_catalog__keeps_where_values_come_from_and_takes_the_day_of_the_decision() -> None:
    bundled = tr.Catalog.bundled(date(2026, 11, 23))
    again = catalog_of(catalog_bytes(bundled), bundled.catalog_id, date(2026, 11, 20))

    assert again.judged_at == date(2026, 11, 20)
    assert again.provenance is not None
    assert again.provenance.equals(bundled.provenance)


@pytest.mark.parametrize("as_of", ["2026-11-25", "2026-12-31"])
def test_catalog__an_overlay_that_ends_comes_back(as_of: str) -> None:
    catalog = tr.Catalog.from_records([{"id": "a", "provider_id": "p", "model_family": "m"}])
    held = dataclasses.replace(catalog.metadata, holds_until=date(2026, 12, 31), holds_from=date(2026, 11, 1))
    laid = tr.Catalog(catalog.table, held, date.fromisoformat(as_of))
    again = catalog_of(catalog_bytes(laid), laid.catalog_id, laid.judged_at)

    assert again.catalog_id == laid.catalog_id != catalog.catalog_id
    assert again.judged_at == laid.judged_at


def test_catalog_of__refuses_what_is_damaged_or_another() -> None:
    catalog = tr.Catalog.from_records([{"id": "a", "provider_id": "p", "model_family": "m"}])
    content = catalog_bytes(catalog)
    for damaged in (b"", content[:100], content[:-20], b"ARROW1" + bytes(200)):
        with pytest.raises(tr.TenantrankError):
            catalog_of(damaged, catalog.catalog_id, None)
    with pytest.raises(tr.TenantrankError, match="has the content of"):
        catalog_of(content, "0" * 64, None)
