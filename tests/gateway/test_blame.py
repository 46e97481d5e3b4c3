"""What failures count against."""

from __future__ import annotations

import pytest

from tenantrank.gateway.blame import counts_against
from tenantrank.policy.failover import CLIENT_FAULTS


@pytest.mark.parametrize(
    ("kind", "scope", "against"),
    [
        *((kind, scope, set()) for kind in sorted(CLIENT_FAULTS) for scope in ("provider", "offer", "credential")),
        ("auth_error", "provider", {"credential"}),
        ("auth_error", "offer", {"credential"}),
        ("rate_limit", "provider", {"credential", "offer"}),
        ("rate_limit", "offer", {"offer"}),
        ("unknown", "offer", {"offer"}),
        ("unknown", "credential", {"credential"}),
        ("server_error", "provider", {"provider", "offer"}),
        ("timeout", "provider", {"provider", "offer"}),
        ("a_word_of_a_plan", "provider", {"provider", "offer"}),
    ],
)
def test_counts_against(kind: str, scope: str, against: set[str]) -> None:
    assert counts_against(kind, scope) == against
