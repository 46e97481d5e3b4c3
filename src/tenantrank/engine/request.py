"""Requests: what one call needs of an offer, checked once and then only read.

Source: the language's specification, section 4 (`meets_req`) and section 5 (the first version's scorers).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from operator import attrgetter
from typing import Any

from tenantrank.catalog.costs import Tokens, check_residency
from tenantrank.errors import RequestError
from tenantrank.policy.admission import shown

NEEDS = ("tools", "vision", "json_mode", "seed")
"""Needs with a capability behind them, in the order they are checked; other needs are ignored by the language."""

_NUMBERS = (
    "min_context",
    "min_quality",
    "min_tok_s",
    "max_latency_ms",
    "max_cost_usd",
    "estimated_input_tokens",
    "estimated_output_tokens",
    "estimated_cached_share",
    "free_credit_threshold_usd",
)
_TEXTS = ("model_family", "tier", "privacy", "estimated_residency")
FILTERED_BY = attrgetter("needs", "scope", "model_family", "tier", "privacy", "min_context", "min_quality", "min_tok_s")
"""Gives what of a request has a part in filters, but for those that read what a call costs; the rest is for scorers."""
_LARGEST = sys.float_info.max
_PRIVACY = ("standard", "tee_required", "no_log")


@dataclass(frozen=True, slots=True)
class Request:
    """What a call needs. Hashable, so that equal requests are prepared once.

    Numbers are ``None`` where the request does not give them. ``needs`` holds those of `NEEDS` that apply, in that
    order.
    """

    needs: tuple[str, ...] = ()
    scope: str | None = None
    model_family: str | None = None
    tier: str | None = None
    privacy: str | None = None
    min_context: float | None = None
    min_quality: float | None = None
    min_tok_s: float | None = None
    max_latency_ms: float | None = None
    max_cost_usd: float | None = None
    estimated_input_tokens: float | None = None
    estimated_output_tokens: float | None = None
    estimated_cached_share: float | None = None
    estimated_residency: str | None = None
    free_credit_threshold_usd: float | None = None

    @classmethod
    def of(cls, record: Mapping[str, Any] | Request | None) -> Request:
        """Check a request record: a call's body with ``requirements`` and ``scope`` beside it.

        Of the body, ``images``, ``tools`` and ``response_format`` count; its other keys are not looked at. An empty
        list may stand for an empty record.

        Raises
        ------
        RequestError
            naming the key that is not of the documented shape; an unknown requirement is refused, since ignoring it
            would admit offers that the caller meant to exclude
        """
        if isinstance(record, Request):
            return record
        body = _record(record, "request")
        if "requirements" not in body:
            for key in body:
                if isinstance(key, str) and get_close_matches(key, ["requirements"], cutoff=0.8):
                    raise RequestError(f"request has no 'requirements', but {shown(key)}; misspelt?")
        required = _record(body.get("requirements"), "request.requirements")
        unknown = sorted(set(required) - {"needs", *_NUMBERS, *_TEXTS}, key=str)
        if unknown:
            raise RequestError(f"request.requirements has no key {shown(unknown[0])}")
        values = {key: required[key] for key in (*_NUMBERS, *_TEXTS) if key in required}
        return cls(needs=_needs(body, required), scope=body.get("scope"), **values)

    def __post_init__(self) -> None:
        for key in _NUMBERS:
            object.__setattr__(self, key, _number(getattr(self, key), f"request.requirements.{key}"))
        for key in _TEXTS:
            _text(getattr(self, key), f"request.requirements.{key}")
        _text(self.scope, "request.scope")
        if self.privacy is not None and self.privacy not in _PRIVACY:
            raise RequestError(f"request.requirements.privacy must be one of {', '.join(_PRIVACY)}")
        share = self.estimated_cached_share
        if share is not None and not 0.0 <= share <= 1.0:
            raise RequestError(f"request.requirements.estimated_cached_share must be 0 to 1, got {shown(share)}")
        check_residency(self.estimated_residency, "request.requirements.estimated_residency")
        if not isinstance(self.needs, tuple) or any(need not in NEEDS for need in self.needs):
            raise RequestError(f"a request's needs are a tuple of {', '.join(NEEDS)}, got {shown(self.needs)}")
        object.__setattr__(self, "needs", tuple(need for need in NEEDS if need in self.needs))

    @property
    def tokens(self) -> Tokens | None:
        """What the call is estimated to take; ``None`` where input or output is not estimated, or not sensibly."""
        taken, given = self.estimated_input_tokens, self.estimated_output_tokens
        return Tokens.sensible(taken, given, self.estimated_cached_share or 0.0, self.estimated_residency)


def _needs(body: Mapping[str, Any], required: Mapping[str, Any]) -> tuple[str, ...]:
    listed = required.get("needs")
    if listed is None or listed == {}:
        listed = []
    if not isinstance(listed, list | tuple) or not all(isinstance(need, str) for need in listed):
        raise RequestError("request.requirements.needs must be a list of strings")
    found = set(listed)
    for key, need in (("images", "vision"), ("tools", "tools")):
        given = body.get(key)
        if given is not None and not isinstance(given, list | tuple | Mapping):
            raise RequestError(f"request.{key} must be a list")
        if given:
            found.add(need)
    form = body.get("response_format")
    if isinstance(form, Mapping) and form.get("type") == "json_object":
        found.add("json_mode")
    return tuple(need for need in NEEDS if need in found)


def _record(value: Any, at: str) -> Mapping[str, Any]:
    if value is None or (isinstance(value, list) and not value):
        return {}
    if not isinstance(value, Mapping):
        raise RequestError(f"{at} must be a record, got {type(value).__name__}")
    return value


def _number(value: Any, at: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"{at} must be a finite number, got {shown(value)}")
    if not -_LARGEST <= value <= _LARGEST:
        raise RequestError(f"{at} must be a finite number, got one beyond the doubles or NaN")
    return float(value) + 0.0  # one zero, since equal requests are prepared once


def _text(value: Any, at: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise RequestError(f"{at} must be a string, got {shown(value)}")
    return value


def reduced_seed(seed: int | None) -> int:
    """Bring a seed into 0 … 2147483646; no seed is seed 0 (section 5, rng)."""
    if seed is None:
        return 0
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RequestError(f"seed must be an integer, got {shown(seed)}")
    return seed % 2147483647
