"""An operator's overlay as it is written: attestations, and offers of the operator's own, checked where they enter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from tenantrank.errors import CatalogError
from tenantrank.policy import strict_json, strict_yaml

EVIDENCED = frozenset(
    {
        "no_log",
        "has_tee",
        "retention_days",
        "zdr",
        "trains_on_data",
        "geo",
        "regions",
        "region_scope",
        "residency_options",
    }
)
"""Columns that tenants are promised something about: to set one takes a contract and the day it was verified."""

_PROMISED_FACTS = frozenset({"trains_on_data_no", "zdr_available", "zdr_default"})


def is_promise(name: str) -> bool:
    """Say whether a column is one of `EVIDENCED`, or states by itself a fact that is derived from these."""
    return name in EVIDENCED or name in _PROMISED_FACTS or (name.startswith("region_") and name != "region_key")


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("expected a date as YYYY-MM-DD") from None
    if value is not None and (isinstance(value, datetime) or not isinstance(value, date)):
        raise ValueError("expected a date as YYYY-MM-DD")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def _patterns(value: Any) -> Any:
    if value is None:
        raise ValueError("expected a string or a list of strings, got nothing")
    return _one_or_more(value)


Day = Annotated[date | None, BeforeValidator(_day)]
Text = Annotated[str, Field(min_length=1)]
Patterns = Annotated[tuple[Text, ...] | None, BeforeValidator(_patterns), Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Match(_Strict):
    """Which offers an attestation is about: every key given must hold, by any one of its values.

    In the string columns a value may hold ``*`` for any run of characters. ``geo`` and ``regions`` hold where the offer
    lists one of the values. A null matches nothing.
    """

    offer_id: Patterns = None
    provider_id: Patterns = None
    model_family: Patterns = None
    wire_model_id: Patterns = None
    lab: Patterns = None
    region_key: Patterns = None
    cloud_region: Patterns = None
    geo: Patterns = None
    regions: Patterns = None

    @model_validator(mode="after")
    def _names_something(self) -> Match:
        if not self.model_fields_set:
            raise ValueError("names no column")
        return self


class _Evidence(_Strict):
    """Values and what vouches for them."""

    set: dict[Text, Any] = Field(min_length=1)
    account: Text | None = None
    contract: Text | None = None
    verified_at: Day = None
    valid_until: Day = None

    @model_validator(mode="after")
    def _is_evidenced(self) -> _Evidence:
        promised = sorted(name for name, value in self.set.items() if is_promise(name) and value is not None)
        for key in ("contract", "verified_at"):
            if promised and getattr(self, key) is None:
                raise ValueError(f"sets {promised[0]!r} without {key!r}")
        if self.verified_at and self.valid_until and self.valid_until < self.verified_at:
            raise ValueError("valid_until lies before verified_at")
        return self


class Attestation(_Evidence):
    """Values of columns for every offer that matches."""

    match: Match


class OwnOffer(_Evidence):
    """One more offer: a copy of offer ``like`` under another id, with some columns set."""

    like: Text
    offer_id: Text


class Overlay(_Strict):
    """A whole overlay; later attestations win over earlier ones."""

    name: Text = "operator"
    attestations: Annotated[tuple[Attestation, ...], BeforeValidator(_one_or_more)] = ()
    offers: Annotated[tuple[OwnOffer, ...], BeforeValidator(_one_or_more)] = ()


def read_overlay(overlay: Mapping[str, Any] | str | os.PathLike[str]) -> Overlay:
    """Read and check an overlay.

    Parameters
    ----------
    overlay
        a mapping, or the path of a ``.yaml``, ``.yml`` or ``.json`` file, read as strictly as a rulebook (see
        `tenantrank.policy.strict_yaml`); a file's stem is the overlay's name where it gives none

    Raises
    ------
    CatalogError
        one line with the path and the place of the first fault
    """
    if isinstance(overlay, Mapping):
        return _checked(overlay, "overlay")
    if not isinstance(overlay, str | os.PathLike):
        raise CatalogError(f"an overlay is a mapping or the path of a file, not a {type(overlay).__name__}")
    path = Path(overlay)
    try:
        text = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # a path that no file can have
        raise CatalogError(f"{str(path)!r}: not readable as an overlay: {error}") from None
    try:
        content = (strict_json if path.suffix.lower() == ".json" else strict_yaml).loads(text)
    except ValueError as error:
        raise CatalogError(f"{path}: not readable as an overlay: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise CatalogError(f"{path}: an overlay is a mapping with 'attestations' or 'offers'")
    return _checked({"name": path.stem, **content}, str(path))


def _checked(content: Mapping[str, Any], origin: str) -> Overlay:
    try:
        return Overlay.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in first["loc"]).lstrip(".")
        reason = first["msg"].removeprefix("Value error, ")
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise CatalogError(f"{origin}: {place}: {reason}{more}" if place else f"{origin}: {reason}{more}") from None
