"""Write tenants.csv, the sample customer base: a thousand invented companies in the proportions of a small B2B product.

    python data/make_tenants.py

The draws are seeded and use nothing but ``Random.random``, whose sequence is the same in every Python, so the file
comes out the same every time. The companies are made up; a likeness to a real one is chance.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

COLUMNS = (
    "tenant_id",
    "name",
    "plan",
    "region",
    "data_class",
    "workload",
    "vip",
    "dpa_signed",
    "approved_providers",
    "excluded_providers",
    "quality_floor",
    "price_ceiling",
)

_TENANTS = 1000
_SEED = 20261123

_FIRST = """
Alder Amber Beacon Birch Bright Cedar Clear Cobalt Copper Coral Delta Ember Falcon Fern Gable Granite Harbor Hazel Heron
Indigo Ivory Juniper Kestrel Lantern Larch Linden Lumen Maple Marble Nimbus North Ochre Onyx Orchard Osprey
Pebble Pine Prism Quarry Quill Raven Ridge River Rowan Saffron Sage Silver Slate Sparrow Spruce Stone Summit Tamarack
Thistle Tidal Umber Vale Vantage Violet Walnut Willow Wren Yarrow Zephyr
"""
_SECOND = """
Analytics Apparel Audio Biotech Books Cargo Clinics Coatings Dental Design Dynamics Energy Farms Finance Foods Freight
Games Health Hotels Insurance Labs Legal Logistics Media Mobility Motors Optics Payments Pharma Robotics Schools
Security Semiconductors Shipping Software Studios Systems Textiles Tools Travel Utilities Water Works
"""

_PLANS = (("free", 0.54), ("team", 0.27), ("enterprise", 0.12), ("premium", 0.07))
_REGIONS = {
    "free": (("global", 0.72), ("eu", 0.20), ("us", 0.08)),
    "team": (("global", 0.58), ("eu", 0.30), ("us", 0.12)),
    "enterprise": (("global", 0.40), ("eu", 0.45), ("us", 0.15)),
    "premium": (("global", 0.55), ("eu", 0.30), ("us", 0.15)),
}
_DATA_CLASSES = {
    "free": (("public", 0.85), ("internal", 0.15)),
    "team": (("public", 0.35), ("internal", 0.55), ("sensitive", 0.10)),
    "enterprise": (("internal", 0.55), ("sensitive", 0.30), ("regulated", 0.15)),
    "premium": (("public", 0.30), ("internal", 0.50), ("sensitive", 0.20)),
}
_VIPS = {"free": 0.0, "team": 0.04, "enterprise": 0.25, "premium": 0.20}
_SIGNED = {"free": 0.05, "team": 0.55, "enterprise": 0.90, "premium": 0.75}
_APPROVED = (
    (("azure",), 0.20),
    (("azure", "openai"), 0.22),
    (("amazon-bedrock",), 0.16),
    (("amazon-bedrock", "anthropic"), 0.14),
    (("azure", "mistral", "amazon-bedrock"), 0.10),
    (("amazon-bedrock", "google-vertex"), 0.10),
    (("azure", "amazon-bedrock", "google-vertex", "anthropic", "openai"), 0.08),
)
_EXCLUDED = ((("openai",), 0.4), (("openrouter", "deepinfra", "togetherai"), 0.35), (("amazon-bedrock",), 0.25))

# Contracts that no offer can meet: each shows which rules leave a tenant with nothing.
_UNSERVED = (
    {"plan": "enterprise", "region": "eu", "data_class": "regulated", "approved_providers": "groq"},
    {"plan": "enterprise", "region": "us", "data_class": "sensitive", "approved_providers": "azure;openai"},
    {"plan": "team", "region": "eu", "data_class": "sensitive", "quality_floor": "0.85", "price_ceiling": "5"},
    {
        "plan": "premium",
        "region": "eu",
        "data_class": "sensitive",
        "excluded_providers": "amazon-bedrock;azure;mistral;google-vertex",
    },
)

_Item = TypeVar("_Item")


def _pick(rng: Random, weighted: Sequence[tuple[_Item, float]]) -> _Item:
    """Draw one item; the weights add up to 1."""
    draw = rng.random()
    for item, weight in weighted:
        draw -= weight
        if draw < 0:
            return item
    return weighted[-1][0]


def _one(rng: Random, items: Sequence[_Item]) -> _Item:
    return items[int(rng.random() * len(items))]


def _tenant(rng: Random) -> dict[str, str]:
    plan = _pick(rng, _PLANS)
    region = _pick(rng, _REGIONS[plan])
    data_class = _pick(rng, _DATA_CLASSES[plan])
    if region == "us" and data_class in ("sensitive", "regulated"):
        data_class = "internal"  # the overlay attests no logs for the EU alone
    vip = rng.random() < _VIPS[plan]
    row = {
        "plan": plan,
        "region": region,
        "data_class": data_class,
        "workload": "batch" if rng.random() < 0.12 else "interactive",
        "vip": "true" if vip else "false",
        "dpa_signed": _pick(rng, (("true", _SIGNED[plan]), ("false", (1 - _SIGNED[plan]) / 2), ("", 1.0))),
    }
    if plan == "enterprise":
        row["approved_providers"] = ";".join(_pick(rng, _APPROVED))
    elif plan != "free" and region == "global" and rng.random() < 0.10:
        row["excluded_providers"] = ";".join(_pick(rng, _EXCLUDED))
    if plan in ("enterprise", "premium") and not vip and rng.random() < 0.25:
        row["quality_floor"] = _one(rng, ("0.65", "0.7", "0.72"))
    if plan == "team" and not vip and data_class != "sensitive" and rng.random() < 0.25:
        row["price_ceiling"] = _one(rng, ("2", "5", "10", "15"))
    return row


def tenants() -> list[dict[str, str]]:
    """Give the rows of the sample, every column as the text that the file holds."""
    rng = Random(_SEED)
    unserved = {137 + 211 * position: row for position, row in enumerate(_UNSERVED)}
    rows = []
    names: set[str] = set()
    first, second = _FIRST.split(), _SECOND.split()
    for number in range(1, _TENANTS + 1):
        name = f"{_one(rng, first)} {_one(rng, second)}"
        while name in names:
            name = f"{_one(rng, first)} {_one(rng, second)}"
        names.add(name)
        row = _tenant(rng)
        if number in unserved:
            row = {"workload": "interactive", "vip": "false", "dpa_signed": "true", **unserved[number]}
        rows.append({**dict.fromkeys(COLUMNS, ""), **row, "tenant_id": f"t{number:04d}", "name": name})
    return rows


def csv_text() -> str:
    """Give the text of tenants.csv."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(tenants())
    return text.getvalue()


if __name__ == "__main__":
    Path(__file__).with_name("tenants.csv").write_text(csv_text(), encoding="utf-8")
