"""The operator's limits: their defaults, their bounds, and how they are shown."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from tenantrank.gateway.limits import DEFAULT, Limits, LimitSettings


def test_settings_give_limits_by_the_same_names() -> None:
    limits = LimitSettings(attempts=3, total_s=30).limits()

    assert (limits.attempts, limits.total_s, limits.ranked) == (3, 30.0, 16)
    assert set(LimitSettings.model_fields) == set(limits.to_json())


def test_every_setting_is_described() -> None:
    assert [name for name, field in LimitSettings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    "given",
    [
        {"attempts": 0},
        {"attempts": 2.5},
        {"attempts": "3"},
        {"attempts": True},
        {"ranked": 0},
        {"total_s": 0},
        {"total_s": math.inf},
        {"backoff_ms": -1},
        {"backoff_ms": math.nan},
        {"retry_after_s": -1},
        {"retry_ratio": 1.5},
        {"answer_bytes": 0},
        {"atempts": 3},
    ],
    ids=str,
)
def test_settings_refuse_what_is_no_limit(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LimitSettings.model_validate(given)


def test_limits_are_shown_as_json() -> None:
    shown = json.loads(json.dumps(DEFAULT.to_json(), allow_nan=False))

    assert shown["attempts"] == 6
    assert shown["retry_after_s"] == 5.0


def test_no_limits_are_shown_as_none() -> None:
    shown = Limits.off().to_json()
    none = {"attempts", "ranked", "total_s", "backoff_ms", "retry_after_s", "retry_ratio"}

    assert {name for name, value in shown.items() if value is None} == none
    json.dumps(shown, allow_nan=False)
