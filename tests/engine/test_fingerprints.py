"""Fingerprints in bulk are those of each policy."""

from __future__ import annotations

import tenantrank as tr
from tenantrank.engine import fingerprints as module
from tenantrank.engine.fingerprints import fingerprints_of
from tests.engine.samples import ABC, policy_of


def test_fingerprints_of__are_those_of_each_policy_in_order() -> None:
    policies: list[tr.Policy] = [
        policy_of(ABC, ["provider_eq", "é€" * (at % 5) + str(at)], ["lit", at / 7]) for at in range(200)
    ]
    wanted = [policy.fingerprint for policy in policies]
    assert fingerprints_of(policies) == wanted
    assert fingerprints_of(policies[:3]) == wanted[:3]
    assert fingerprints_of([]) == []
    assert len(policies) > module._FEW
