from __future__ import annotations

from typing import Any

from tenantrank.catalog.complete import complete
from tenantrank.catalog.merge import Row


def row(provider: str, wire: str, region: str | None = None, **values: Any) -> Row:
    made = Row("|".join(filter(None, (provider, wire, region))), provider, wire, region, sources=["litellm"])
    for column, value in values.items():
        made.put(column, value, "litellm@1", "2026-01-01")
    return made


def completed(*rows: Row) -> list[Row]:
    complete(rows, "2026-11-23")
    return list(rows)


def test_complete__names_the_model_its_format_and_its_maker() -> None:
    (found,) = completed(row("chutes", "zai-org/GLM-5.2-FP8-TEE"))
    assert {k: found.values[k] for k in ("model_key", "model_family", "has_tee", "lab")} == {
        "model_key": "glm-5-2",
        "model_family": "glm-5.2",
        "has_tee": True,
        "lab": "zai",
    }
    assert found.origins["has_tee"] == ("id", "2026-11-23")


def test_complete__never_says_that_an_offer_has_no_trusted_environment() -> None:
    (found,) = completed(row("x", "m"))
    assert "has_tee" not in found.values


def test_complete__a_models_line_names_its_maker_whoever_serves_it() -> None:
    rows = completed(
        row("router", "meta-llama/gpt-9"), row("amazon-bedrock", "us.amazon.nova-pro-v1:0"), row("r", "zz/q")
    )
    assert [r.values.get("lab") for r in rows] == ["openai", "amazon", None]


def test_complete__flags_a_pair_of_zeros() -> None:
    rows = completed(
        row("x", "a", price_in=0.0, price_out=0.0),
        row("x", "b", price_in=0.0, price_out=1.0),
        row("x", "c", price_in=0.0),
    )
    assert [r.values.get("price_zero_listed") for r in rows] == [True, False, None]


def test_complete__places_an_offer_by_its_region() -> None:
    (found,) = completed(row("amazon-bedrock", "acme.m", "eu-west-2"))
    assert (found.values["geo"], found.values["regions"], found.values["region_scope"]) == (
        ["uk"],
        ["eu-west-2"],
        "single_region",
    )


def test_complete__stated_regions_keep_their_source() -> None:
    (found,) = completed(row("google-vertex", "m", regions=["global"]))
    assert found.origins["geo"] == ("litellm@1", "2026-01-01")


def test_complete__a_sibling_at_the_same_provider_lends_its_capabilities() -> None:
    rows = completed(
        row("azure", "gpt-9", supports_tools=True, context=9), row("azure", "gpt-9", "eu"), row("b", "gpt-9")
    )
    assert rows[1].values["supports_tools"] is True
    assert rows[1].origins["context"] == ("litellm@1+same-provider", "2026-01-01")
    assert "supports_tools" not in rows[2].values


def test_complete__siblings_that_disagree_lend_nothing() -> None:
    rows = completed(
        row("azure", "gpt-9", supports_tools=True),
        row("azure", "gpt-9", "us", supports_tools=False),
        row("azure", "gpt-9", "eu"),
    )
    assert "supports_tools" not in rows[2].values


def test_complete__prices_and_data_policies_are_never_lent() -> None:
    rows = completed(row("azure", "gpt-9", price_in=1.0, price_out=1.0, no_log=True), row("azure", "gpt-9", "eu"))
    assert not {"price_in", "price_out", "no_log"} & set(rows[1].values)


def test_complete__the_makers_own_offer_decides_a_fact_of_the_model() -> None:
    rows = completed(
        row("openai", "gpt-9", release_date="2030-01-01"),
        *[row(f"router{i}", "gpt-9", release_date="2030-02-02") for i in range(5)],
        row("late", "gpt-9"),
    )
    assert rows[-1].values["release_date"] == "2030-01-01"
    assert rows[-1].origins["release_date"] == ("litellm@1+model", "2026-01-01")


def test_complete__without_the_maker_two_thirds_must_agree() -> None:
    def lent(*dates: str) -> Any:
        rows = [row(f"r{i}", "acme-9", release_date=day) for i, day in enumerate(dates)]
        return completed(*rows, row("late", "acme-9"))[-1].values.get("release_date")

    assert lent("a", "a", "b") == "a"
    assert lent("a", "b") is None
    assert lent("a", "a", "b", "b", "a") is None


def test_complete__counts_what_it_filled() -> None:
    rows = [row("azure", "gpt-9", supports_tools=True), row("azure", "gpt-9", "eu"), row("azure", "gpt-9", "us")]
    assert complete(rows, "2026-11-23") == {"same-provider:supports_tools": 2}
