"""Providers that plans disabled: whom it reaches, how long, and how much is remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tenantrank.gateway.disabled import Disabled


def test_a_disable_reaches_its_own_scope_for_its_time() -> None:
    disabled = Disabled(ttl_ms=100.0)
    disabled.disable("t1", "a", 10.0)

    assert disabled.is_disabled("t1", "a", 10.0)
    assert disabled.is_disabled("t1", "a", 109.0)
    assert not disabled.is_disabled("t1", "a", 110.0)
    assert not disabled.is_disabled("t2", "a", 10.0)
    assert not disabled.is_disabled("t1", "b", 10.0)
    assert disabled.of("t1", 20.0) == ["a"]
    assert disabled.of("t1", 110.0) == []


def test_disabling_again_counts_from_then() -> None:
    disabled = Disabled(ttl_ms=100.0)
    for now in (0.0, 50.0):
        disabled.disable("t", "a", now)

    assert disabled.is_disabled("t", "a", 149.0)
    assert not disabled.is_disabled("t", "a", 150.0)


def test_what_is_over_is_forgotten() -> None:
    disabled = Disabled(ttl_ms=100.0)
    for tenant in range(50):
        disabled.disable(f"t{tenant}", "a", 0.0)
    disabled.disable("t", "a", 100.0)

    assert len(disabled) == 1


@given(st.lists(st.tuples(st.sampled_from("tuv"), st.sampled_from("abc"), st.floats(0.0, 50.0)), max_size=40))
def test_disabled_agrees_with_a_plain_record(steps: list[tuple[str, str, float]]) -> None:
    disabled, until, now = Disabled(ttl_ms=100.0), dict[tuple[str, str], float](), 0.0
    for scope, provider, passed in steps:
        now += passed
        disabled.disable(scope, provider, now)
        until[scope, provider] = now + 100.0
        found = {(who, which) for who in "tuv" for which in "abc" if disabled.is_disabled(who, which, now)}
        assert found == {key for key, end in until.items() if now < end}
        assert all(disabled.of(who, now) for who, _ in found)


def test_memory_is_bounded() -> None:
    disabled = Disabled(entries=10)
    for tenant in range(10_000):
        disabled.disable(f"t{tenant}", "a", float(tenant))
        assert len(disabled) <= 10

    assert disabled.is_disabled("t9999", "a", 10_000.0)
