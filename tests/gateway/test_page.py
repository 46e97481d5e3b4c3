"""The page on the gateway: its tables say what the code does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from tenantrank.gateway.auth import KeySettings, RateSettings
from tenantrank.gateway.durable import TraceSettings
from tenantrank.gateway.failure import KINDS
from tenantrank.gateway.metrics import Metrics
from tenantrank.gateway.openapi import document
from tenantrank.gateway.providers import ProviderSettings
from tenantrank.gateway.settings import Settings, settings_of
from tenantrank.policy import strict_yaml

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")


def rows(first: str) -> list[list[str]]:
    found: list[list[str]] = []
    for header, body in re.findall(r"^(\|.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)", PAGE, re.MULTILINE):
        if header.startswith(f"| {first} |"):
            found += [line.strip("|\n").split("|") for line in body.splitlines()]
    return [[cell.strip() for cell in row] for row in found]


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from settings(type(default), f"{name}.")
        elif field.is_required():
            yield f"{prefix}{name}", "required"
        elif isinstance(default, bool):
            yield f"{prefix}{name}", str(default).lower()
        elif isinstance(default, float):
            yield f"{prefix}{name}", f"{default:g}"
        elif isinstance(default, list):
            yield f"{prefix}{name}", ", ".join(map(str, default)) or "none"
        else:
            yield f"{prefix}{name}", str(default) if default not in (None, {}) else "none"


def test_settings__are_all_there_with_their_defaults() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows("setting")}
    wanted = dict(settings(Settings))
    wanted |= dict(settings(KeySettings, "keys[]."))
    wanted |= dict(settings(RateSettings, "keys[].rate."))
    wanted |= dict(settings(TraceSettings, "trace."))

    assert {name: default for name, default in listed.items() if not name.startswith("providers.NAME")} == wanted
    named = {name for row in rows("setting") for name in re.findall(r"`(?:providers\.NAME\.)?(\w+)`", row[0])}
    assert set(ProviderSettings.model_fields) <= named


def test_example__is_a_configuration() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)

    assert set(settings_of(strict_yaml.loads(example)).providers) == {"openai", "azure"}


def test_kinds_and_metrics__are_those_there_are() -> None:
    assert {row[0].strip("`") for row in rows("kind")} == set(KINDS)
    shown = {name for row in rows("metric") for name in re.findall(r"`(\w+)`", row[0])}
    page = Metrics().render().decode()
    assert shown == set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))


def test_routes__are_those_of_the_document() -> None:
    listed = {path for row in rows("route") for path in re.findall(r"`(?:GET|POST) ([^`]+)`", row[0])}

    assert listed == set(document("1")["paths"])
