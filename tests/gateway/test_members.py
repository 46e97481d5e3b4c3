"""Members: spellings of the gateway's own, and those that lead around a decision."""

from __future__ import annotations

import pytest

from tenantrank.gateway.members import GATEWAY_MEMBERS, REROUTING, check_members
from tenantrank.gateway.problem import Problem


def check(*names: str) -> None:
    check_members(dict.fromkeys(names).keys())


@pytest.mark.parametrize("name", sorted(REROUTING))
def test_check_members__refuses_what_would_reroute(name: str) -> None:
    with pytest.raises(Problem) as caught:
        check("model", "messages", name)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "unsupported_member", name)


@pytest.mark.parametrize(
    "name",
    [
        *("Policy_IR", "policy-ir", "policyIr", "POLICY_IR", " policy_ir", "policy_ir\u200b", "ｐolicy_ir", "policy"),
        *(
            "Tenant",
            "tenant_id",
            "tenantId",
            "Provider",
            "x-router",
            "X_ROUTER",
            "Requirements",
            "routingSeed",
            "Scope",
        ),
    ],
)
def test_check_members__refuses_other_spellings_of_its_own(name: str) -> None:
    with pytest.raises(Problem) as caught:
        check("messages", name)
    assert caught.value.code == "unknown_member"
    assert repr(name) not in str(caught.value)


def test_check_members__leaves_everything_else_to_the_provider() -> None:
    check(*GATEWAY_MEMBERS, "model", "messages", "some_new_field", "cache_control", "x" * 5000, "", "é", "policies_of")
