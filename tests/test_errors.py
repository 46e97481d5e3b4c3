"""The errors: one base, plain messages, data that survives pickling and copying."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable

import pytest

import tenantrank
from tenantrank import errors
from tenantrank.errors import ConformanceError, InputError, PolicyError, TenantError, TenantrankError

CLASSES = [member for _, member in inspect.getmembers(errors, inspect.isclass)]
OF_THE_COMMAND_LINE = [ConformanceError, InputError]
"""What no function of the library raises."""
ROUND_TRIPS: dict[str, Callable[[BaseException], BaseException]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),
    "oldest pickle": lambda error: pickle.loads(pickle.dumps(error, 0)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def made(kind: type[TenantrankError]) -> TenantrankError:
    if issubclass(kind, PolicyError):
        return kind("$.and[1]", "unknown op 'x'")
    return kind("one line", "plan", "rule-7") if issubclass(kind, TenantError) else kind("one line")


def test_errors__have_one_base_that_only_catches_this_packages_errors() -> None:
    assert all(issubclass(kind, TenantrankError) for kind in CLASSES)
    assert TenantrankError.__mro__ == (TenantrankError, Exception, BaseException, object)


@pytest.mark.parametrize(
    "kind", [kind for kind in CLASSES if kind not in OF_THE_COMMAND_LINE], ids=lambda kind: kind.__name__
)
def test_errors__are_public_names(kind: type) -> None:
    assert getattr(tenantrank, kind.__name__) is kind
    assert kind.__name__ in tenantrank.__all__


@pytest.mark.parametrize("way", ROUND_TRIPS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_errors__keep_message_and_data_on_a_round_trip(kind: type[TenantrankError], way: str) -> None:
    error = made(kind)
    again = ROUND_TRIPS[way](error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_policy_error__says_path_and_reason_in_one_line() -> None:
    error = PolicyError("$.and[2]", "and takes one argument or more, got none")
    assert (error.path, error.reason) == ("$.and[2]", "and takes one argument or more, got none")
    assert str(error) == "policy refused at $.and[2]: and takes one argument or more, got none"


def test_tenant_error__names_field_and_rule_where_it_knows_them() -> None:
    assert (TenantError("m").field, TenantError("m").rule) == (None, None)
    error = TenantError("plan: unknown value 'gold'", field="plan", rule="contract")
    assert (str(error), error.field, error.rule) == ("plan: unknown value 'gold'", "plan", "contract")
