"""The documented errors: complete records, with canaries where providers repeat what they were given."""

from __future__ import annotations

import json

import pytest

from tenantrank.testing.provider_errors import ERRORS, KEY_CANARY, KINDS, PROMPT_CANARY


@pytest.mark.parametrize("provider", ERRORS)
def test_errors__have_known_kinds_and_readable_bodies(provider: str) -> None:
    assert set(ERRORS[provider]) <= set(KINDS)
    for error in ERRORS[provider].values():
        assert 400 <= error.status < 600
        assert isinstance(json.loads(error.body), dict | list)


def test_errors__every_kind_has_at_least_two_providers() -> None:
    for kind in KINDS:
        assert sum(kind in kinds for kinds in ERRORS.values()) >= 2, kind


def test_errors__some_repeat_prompt_and_key() -> None:
    bodies = [error.body.decode() for kinds in ERRORS.values() for error in kinds.values()]

    assert sum(PROMPT_CANARY in body for body in bodies) >= 3
    assert sum(KEY_CANARY in body for body in bodies) >= 2
