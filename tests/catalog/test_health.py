"""Health: what is taken from a state record, and what is refused."""

from __future__ import annotations

import copy
import math
import pickle
from random import Random
from typing import Any

import pytest

from tenantrank.catalog.health import METRICS, Health
from tenantrank.errors import HealthError


def test_of__takes_each_part() -> None:
    state = {
        "ema": {"p|m": {"price_in": 1, "ema_tok_s": 2.5, "price_out": None, "p99": 7}, "q|m": {}, "r|m": None},
        "breakers": {"p": True, "q": False},
        "disabled": {"p": None, "q": {"kind": "auth_error"}, "r": False},
        "credits": {"p": 5, "q": -0.0, "r": math.inf},
    }
    health = Health.of(state)
    assert health.ema == {"p|m": {"price_in": 1.0, "ema_tok_s": 2.5}, "q|m": {}, "r|m": {}}
    assert health.breakers == {"p": True, "q": False}
    # The entry itself disables, whatever it holds.
    assert set(health.disabled) == {"p", "q", "r"}
    assert health.credits == {"p": 5.0, "q": 0.0, "r": math.inf}
    assert math.copysign(1.0, health.credits["q"]) == 1.0
    assert isinstance(health.ema["p|m"]["price_in"], float)
    assert Health.of(health) is health


@pytest.mark.parametrize(
    "state",
    [
        None,
        {},
        [],
        {"ema": None, "breakers": [], "disabled": {}, "credits": []},
    ],
)
def test_of__what_holds_nothing_is_empty(state: Any) -> None:
    assert Health.of(state) == Health()


@pytest.mark.parametrize("metric", METRICS)
def test_of__takes_every_documented_metric(metric: str) -> None:
    assert Health.of({"ema": {"p|m": {metric: 3}}}).ema == {"p|m": {metric: 3.0}}


def test_of__does_not_follow_what_the_caller_changes_later() -> None:
    state: dict[str, Any] = {"ema": {"p|m": {"price_in": 1.0}}, "breakers": {}, "disabled": {}, "credits": {}}
    health = Health.of(state)
    state["ema"]["p|m"]["price_in"] = 9.0
    state["breakers"]["p"] = True
    state["disabled"]["p"] = {}
    state["credits"]["p"] = 5
    assert health == Health(ema={"p|m": {"price_in": 1.0}})


@pytest.mark.parametrize(
    ("state", "at"),
    [
        ("down", "health"),
        (5, "health"),
        ([1], "health"),
        ({5: {}}, "health"),
        ({"breaker": {}}, "'breaker'"),
        ({"breakers": "p"}, "health.breakers"),
        ({"breakers": {"p": 1}}, "health.breakers['p']"),
        ({"breakers": {"p": None}}, "health.breakers['p']"),
        ({"breakers": {5: True}}, "health.breakers"),
        ({"disabled": ["p"]}, "health.disabled"),
        ({"credits": {"p": "5"}}, "health.credits['p']"),
        ({"credits": {"p": True}}, "health.credits['p']"),
        ({"credits": {"p": math.nan}}, "health.credits['p']"),
        ({"credits": {"p": -math.inf}}, "health.credits['p']"),
        ({"credits": {"p": 10**400}}, "health.credits['p']"),
        ({"ema": {"p|m": 5}}, "health.ema['p|m']"),
        ({"ema": {"p|m": {"price_in": "1"}}}, "health.ema['p|m'].price_in"),
        ({"ema": {"p|m": {"ema_tok_s": math.nan}}}, "health.ema['p|m'].ema_tok_s"),
        ({"ema": {"p|m": {5: 1}}}, "health.ema['p|m']"),
    ],
)
def test_of__refuses_in_one_line_that_names_the_entry(state: Any, at: str) -> None:
    with pytest.raises(HealthError) as caught:
        Health.of(state)
    assert at in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given", [{"breakers": {"a": "false"}}, {"credits": {"a": math.nan}}, {"ema": {"p|m": {"price_in": "1"}}}]
)
def test_health__built_by_hand_is_checked_too(given: dict[str, Any]) -> None:
    with pytest.raises(HealthError):
        Health(**given)


def test_of__refuses_a_misspelt_metric() -> None:
    with pytest.raises(HealthError, match="success_rate_ewma"):
        Health.of({"ema": {"p|m": {"sucess_rate_ewma": 0.1}}})


def test_updated__is_the_state_with_the_given_entries_in_place() -> None:
    before = Health.of(
        {"ema": {"p|m": {"price_in": 1}, "q|m": {"price_in": 2}}, "breakers": {"p": True}, "disabled": {"z": 1}}
    )
    after = before.updated(
        ema={"q|m": {"price_out": 3}, "r|m": {"price_in": 4}}, breakers={"q": False}, credits={"p": 5}
    )
    assert after == Health.of(
        {
            "ema": {"p|m": {"price_in": 1}, "q|m": {"price_out": 3}, "r|m": {"price_in": 4}},
            "breakers": {"p": True, "q": False},
            "disabled": {"z": 1},
            "credits": {"p": 5},
        }
    )
    assert before.ema["q|m"] == {"price_in": 2.0}
    assert before.updated(disabled={}).disabled == {}
    assert before.updated() == before
    with pytest.raises(HealthError, match="breakers"):
        before.updated(breakers={"p": "yes"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("earlier", "later", "keys"),
    [
        ({}, {}, []),
        ({"a|m": 1}, {"a|m": 1}, []),
        ({"a|m": 1, "b|m": 2}, {"a|m": 1, "b|m": 3}, ["b|m"]),
        ({"a|m": 1}, {"a|m": 1, "b|m": 3}, ["b|m"]),
        ({"a|m": 1, "b|m": 3}, {"b|m": 3}, ["a|m"]),
        ({"a|m": 1, "b|m": 3}, {"b|m": 4, "a|m": 1}, ["b|m"]),
    ],
)
def test_differing__names_the_keys_whose_metrics_changed(
    earlier: dict[str, float], later: dict[str, float], keys: list[str]
) -> None:
    one, other = (Health.of({"ema": {key: {"price_in": v} for key, v in part.items()}}) for part in (earlier, later))
    assert other.differing(one) == keys
    assert one.differing(one) == []


def test_differing__of_states_made_from_one_another_is_what_comparing_all_gives() -> None:
    rng = Random(4)
    states = [Health.of({"ema": {f"p{at}|m": {"price_in": 1.0} for at in range(9)}})]
    for _ in range(60):
        change = {f"p{rng.randrange(12)}|m": {"price_in": float(rng.randrange(3))} for _ in range(rng.randrange(3))}
        breakers = {f"p{rng.randrange(3)}": rng.random() < 0.5} if rng.random() < 0.5 else None
        states.append(rng.choice(states[-3:]).updated(change, breakers, credits={"p": 1.0} if not change else None))
        for one in rng.choices(states, k=5):
            for other in (states[-1], states[-2]):
                keys = {key for key in {**one.ema, **other.ema} if one.ema.get(key) != other.ema.get(key)}
                assert set(other.differing(one)) == set(one.differing(other)) == keys
    for state in states:
        assert state.open == tuple(name for name, is_open in state.breakers.items() if is_open)
        for again in (pickle.loads(pickle.dumps(state)), copy.copy(state), copy.deepcopy(state)):
            assert (again, again.open, again.differing(state)) == (state, state.open, [])


def test_updated__shares_what_is_not_given() -> None:
    before = Health.of({"ema": {"p|m": {"price_in": 1.0}}, "breakers": {"p": True}, "credits": {"p": 2.0}})
    after = before.updated(breakers={"q": False})
    assert after.ema is before.ema
    assert after.credits is before.credits
    assert (after.breakers, before.breakers) == ({"p": True, "q": False}, {"p": True})
