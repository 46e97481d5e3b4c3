from __future__ import annotations

import pytest

from tenantrank.catalog.schema import GEOS
from tenantrank.catalog.sources.regions import area_of, residency


@pytest.mark.parametrize(
    ("region", "area"),
    [
        ("eu", "eu"),
        ("eu-central-1", "eu"),
        ("eu-north-1", "eu"),
        ("europe-west1", "eu"),
        ("eu-west-2", "uk"),
        ("europe-west2", "uk"),
        ("eu-central-2", "ch"),
        ("europe-west6", "ch"),
        ("us-east-1", "us"),
        ("us-south1", "us"),
        ("us-gov-west-1", "us-gov"),
        ("ap-northeast-1", "jp"),
        ("ap-southeast-3", "apac"),
        ("sa-east-1", "sa"),
        ("global", "global"),
        ("mars-north-1", None),
        ("frankfurt", None),
        ("", None),
    ],
)
def test_area_of__follows_the_country_not_the_continent(region: str, area: str | None) -> None:
    assert area_of(region) == area
    assert area is None or area in GEOS


def test_residency__region_key_wins_over_everything() -> None:
    found = residency("amazon-bedrock", "us.acme.x", "eu-west-3", ["us-east-1"])
    assert found is not None
    assert (found.regions, found.geo, found.scope, found.cloud_region) == (
        ("eu-west-3",),
        ("eu",),
        "single_region",
        "eu-west-3",
    )


def test_residency__reads_bedrocks_inference_prefix_only_on_bedrock() -> None:
    found = residency("amazon-bedrock", "eu.anthropic.claude-x", None)
    assert found is not None
    assert (found.geo, found.scope, found.cloud_region, found.source) == (("eu",), "geo", None, "wire-id")
    assert residency("elsewhere", "eu.anthropic.claude-x", None) is None


def test_residency__a_list_with_global_is_global() -> None:
    found = residency("google-vertex", "x", None, ["global", "us-south1"])
    assert found is not None
    assert (found.geo, found.scope) == (("global", "us"), "global")


@pytest.mark.parametrize(
    ("provider", "wire"),
    [("requesty", "claude-sonnet-5@eu"), ("mistral", "mistral-large-3"), ("ovhcloud", "x"), ("azure", "gpt-9")],
)
def test_residency__headquarters_and_gateway_suffixes_say_nothing(provider: str, wire: str) -> None:
    assert residency(provider, wire, None) is None


def test_residency__an_unknown_region_leaves_the_offer_unplaced() -> None:
    assert residency("x", "y", "atlantis-1") is None
    assert residency("x", "y", None, ["eu-west-1", "atlantis-1"]) is None


def test_residency__reads_a_one_country_endpoint() -> None:
    found = residency("moonshotai-cn", "kimi", None)
    assert found is not None
    assert found.geo == ("cn",)
