from __future__ import annotations

from typing import Any

import pytest

from tenantrank.catalog.data_policy import COLUMNS, apply_policies, read_policies
from tenantrank.catalog.merge import Row
from tenantrank.errors import CatalogError

GOOD = {
    "provider_id": "acme",
    "no_log": "true",
    "retention_days": "0",
    "zdr": "default",
    "trains_on_data": "no",
    "policy_scope": "chat",
    "except_models": "google/;anthropic/",
    "evidence": "primary",
    "source_url": "https://acme.example/data",
    "as_of": "2026",
}


def content(*rows: dict[str, str]) -> bytes:
    lines = [",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def row(provider: str, wire: str) -> Row:
    return Row(f"{provider}|{wire}", provider, wire, None)


def test_read_policies__reads_a_row_and_leaves_empty_cells_unknown() -> None:
    policies = read_policies(
        content(GOOD, GOOD | {"provider_id": "other", "no_log": "", "retention_days": "", "zdr": ""})
    )
    assert policies["acme"].values == {
        "no_log": True,
        "retention_days": 0,
        "zdr": "default",
        "trains_on_data": "no",
        "policy_scope": "chat",
    }
    assert policies["other"].values == {"trains_on_data": "no", "policy_scope": "chat"}


def test_apply_policies__sets_every_offer_of_the_provider_with_its_page_and_date() -> None:
    rows = [row("acme", "m"), row("elsewhere", "m")]
    assert apply_policies(rows, read_policies(content(GOOD))) == set()
    assert rows[0].values["no_log"] is True
    assert rows[0].origins["no_log"] == ("policy:primary:https://acme.example/data", "2026")
    assert rows[1].values == {}


def test_apply_policies__leaves_out_the_models_that_the_page_excepts() -> None:
    rows = [row("acme", "Google/gemini"), row("acme", "googly")]
    apply_policies(rows, read_policies(content(GOOD)))
    assert [bool(r.values) for r in rows] == [False, True]


def test_apply_policies__names_providers_without_an_offer() -> None:
    assert apply_policies([], read_policies(content(GOOD))) == {"acme"}


@pytest.mark.parametrize(
    "change",
    [
        {"no_log": "yes"},
        {"retention_days": "thirty"},
        {"retention_days": "-1"},
        {"retention_days": "30"},
        {"zdr": "maybe"},
        {"trains_on_data": "perhaps"},
        {"evidence": "hearsay"},
        {"source_url": "http://acme.example"},
        {"source_url": ""},
        {"as_of": ""},
        {"provider_id": ""},
    ],
)
def test_read_policies__refuses_a_row_that_cannot_be_vouched_for(change: dict[str, Any]) -> None:
    with pytest.raises(CatalogError, match="line 2"):
        read_policies(content(GOOD | change))


def test_read_policies__refuses_another_header_a_short_row_and_a_provider_listed_twice() -> None:
    with pytest.raises(CatalogError, match="header"):
        read_policies(b"provider_id,no_log\nacme,true\n")
    with pytest.raises(CatalogError, match="cells"):
        read_policies(content(GOOD) + b"acme,true\n")
    with pytest.raises(CatalogError, match="twice"):
        read_policies(content(GOOD, GOOD))
