"""Where an offer is processed, as far as its own id or its provider's endpoint says.

A region is read from documented id conventions only: a cloud region in a row's key, a cross-region inference prefix, a
provider entry that stands for one country's endpoint. Where a company has its seat says nothing about processing and is
not used, and neither is a gateway's ``@eu`` suffix: it names the model's region, not the gateway's own hop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BY_PREFIX = {
    "us": "us",
    "ca": "ca",
    "sa": "sa",
    "eu": "eu",
    "af": "africa",
    "il": "me",
    "me": "me",
    "ap": "apac",
    "cn": "cn",
    "europe": "eu",
}
# A country with an area of its own. EU membership is by country: London and Zurich are outside the Union.
_BY_REGION = {
    "eu-west-2": "uk",
    "eu-central-2": "ch",
    "ap-northeast-1": "jp",
    "ap-northeast-2": "kr",
    "ap-northeast-3": "jp",
    "ap-south-1": "in",
    "ap-south-2": "in",
    "ap-southeast-1": "sg",
    "ap-southeast-2": "au",
    "ap-southeast-4": "au",
    "europe-west2": "uk",
    "europe-west6": "ch",
}
_CLOUD_REGION = re.compile(r"^(?:[a-z]{2}(?:-gov)?|europe)-(?:north|south|east|west|central)[a-z]*-?\d+$")
_GEOS = frozenset({"eu", "us", "us-gov", "apac", "jp", "au", "ca", "in", "sa", "uk", "ch", "cn", "sg"})
_BEDROCK_PREFIX = re.compile(r"^(us-gov|us|eu|apac|jp|au|ca|in|sa|global)\.[a-z0-9-]+\.")

_PROVIDER_ENDPOINT = {
    "alibaba-cn": "cn",
    "alibaba-coding-plan-cn": "cn",
    "alibaba-token-plan-cn": "cn",
    "minimax-cn": "cn",
    "minimax-cn-coding-plan": "cn",
    "moonshotai-cn": "cn",
    "siliconflow-cn": "cn",
    "xiaomi-token-plan-cn": "cn",
    "xiaomi-token-plan-sgp": "sg",
}


@dataclass(frozen=True, slots=True)
class Residency:
    """Where requests to one offer are processed.

    Attributes
    ----------
    regions : the named regions, as the provider writes them
    geo : the legal areas they lie in (``eu`` is the European Union), one for each distinct area, in the same order
    scope : ``single_region``, ``geo`` (anywhere inside the area) or ``global``
    cloud_region : the one cloud region, where it is one
    source : the convention it was read from
    """

    regions: tuple[str, ...]
    geo: tuple[str, ...]
    scope: str
    cloud_region: str | None
    source: str


def area_of(region: str) -> str | None:
    """Name the legal area of a cloud region or area code, or ``None`` where it is not known.

    >>> area_of("eu-central-1"), area_of("eu-west-2"), area_of("us-south1"), area_of("eu")
    ('eu', 'uk', 'us', 'eu')
    """
    region = region.lower()
    if region in _GEOS or region == "global":
        return region
    if region in _BY_REGION:
        return _BY_REGION[region]
    if not _CLOUD_REGION.match(region):
        return None
    if region.startswith("us-gov-"):
        return "us-gov"
    return _BY_PREFIX.get(region.split("-")[0])


def residency(
    provider_id: str, wire_model_id: str, region_key: str | None, stated: list[str] | None = None
) -> Residency | None:
    """Read an offer's processing region from its identity, or from the regions a source states for it.

    The row's own region key wins, then an inference prefix on Bedrock, then the stated list, then a provider entry that
    is one country's endpoint. ``None`` where none of them speaks, or where a named region's area is not known.
    """
    if region_key:
        return _of([region_key], "region-key")
    prefix = _BEDROCK_PREFIX.match(wire_model_id) if provider_id == "amazon-bedrock" else None
    if prefix:
        return _of([prefix[1]], "wire-id")
    if stated:
        return _of(stated, "stated")
    if provider_id in _PROVIDER_ENDPOINT:
        return _of([_PROVIDER_ENDPOINT[provider_id]], "provider-endpoint")
    return None


def _of(regions: list[str], source: str) -> Residency | None:
    areas = [area_of(region) for region in regions]
    if any(area is None for area in areas):
        return None
    single = len(regions) == 1 and regions[0] not in _GEOS and regions[0] != "global"
    scope = "single_region" if single else "global" if "global" in areas else "geo"
    known = tuple(dict.fromkeys(area for area in areas if area is not None))
    return Residency(tuple(regions), known, scope, regions[0] if single else None, source)
