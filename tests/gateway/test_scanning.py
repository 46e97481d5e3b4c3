"""Scanning: members with their places in bytes."""

from __future__ import annotations

import json

import pytest

from tenantrank.gateway.scanning import FaultError, scan


def test_scan__gives_places_in_bytes() -> None:
    text = ' {"é" : "日", "b":[1, 2] }'
    members, spans, opened = scan(text)
    raw = text.encode()
    assert members == {"é": "日", "b": [1, 2]}
    assert opened == 2
    assert [raw[slice(*span[1:])] for span in spans.values()] == ['"日"'.encode(), b"[1, 2]"]
    assert [raw[span[0] :][:2] for span in spans.values()] == ['"é"'.encode()[:2], b'"b']


def test_scan__tells_where_a_text_stops_being_json() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        scan('{"a":1,"b":}')
    assert caught.value.pos == 11
    with pytest.raises(FaultError, match="no JSON object"):
        scan("[1]")
