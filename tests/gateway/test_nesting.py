"""Nesting: as deep as the parser finds it, without parsing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.nesting import is_nested_deeper


def depth_of(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


VALUES = st.recursive(
    st.text('[]{}"\\a', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[]{}"\\', max_size=3), inner, max_size=3),
    max_leaves=30,
)


@given(VALUES, st.integers(0, 12))
def test_is_nested_deeper__agrees_with_the_parsed_value(value: Any, levels: int) -> None:
    assert is_nested_deeper(json.dumps(value).encode(), levels) == (depth_of(value) > levels)


@pytest.mark.parametrize("levels", [3, 7, 8, 9, 127, 128, 129, 5000])
def test_is_nested_deeper__counts_exactly(levels: int) -> None:
    wide = b"[" + b"{}," * 6000
    for raw in (b"[" * levels + b"]" * levels, wide + b"[" * (levels - 1) + b"]" * levels):
        assert is_nested_deeper(raw, levels - 1)
        assert not is_nested_deeper(raw, levels)


@pytest.mark.parametrize("raw", [b"", b"]]]]", b'"[[[', b"\\", b'"\\"[[[', b"[]" * 300, b"]" * 9 + b"[" * 300])
def test_is_nested_deeper__answers_for_any_bytes(raw: bytes) -> None:
    assert is_nested_deeper(raw) in (True, False)
