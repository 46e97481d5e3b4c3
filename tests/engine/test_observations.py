"""Observations: orders made when they are needed, and what did not change shared."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.engine.observations import _UNMADE, Moved, Observations
from tenantrank.policy.signature import V2
from tests.engine.samples import catalog_of, offer, policy_of, same


def made(columns: list[list[float]]) -> Observations:
    size = len(columns[0])
    words = max(8, -(-size // 512) * 8)
    padded = [np.array(column + [0.0] * (words * 64 - size)) for column in columns]
    return Observations(padded, size, words)


def test_make_order__is_by_value_then_by_row() -> None:
    values = [2.0, 1.0, 2.0, float("inf"), 1.0, -5.0]
    observations = made([values])
    observations._make_order(0, None)
    order = observations._orders[0]
    assert order.order.tolist() == [5, 1, 4, 0, 2, 3]
    assert order.ordered.tolist() == sorted(values)
    assert order.run_first.tolist() == [0, 1, 1, 3, 3, 5]
    assert order.run_end.tolist() == [1, 3, 3, 5, 5, 6]
    assert order.singles[:6].tolist() == values


@pytest.mark.parametrize("size", [1, 2, 40, 700])
def test_changed__mends_an_order_to_what_sorting_anew_gives(size: int) -> None:
    rng = Random(size)
    for _ in range(20):
        few = [rng.choice((0.0, 1.0, 2.5, float("inf"))) for _ in range(3)]
        values = [rng.choice(few) if rng.random() < 0.7 else rng.random() for _ in range(size)]
        before = made([values, values])
        before._make_order(0, None)
        rows = sorted(rng.sample(range(size), min(size, rng.choice((1, 2, 8, 9)))))
        now = [rng.choice(few) if rng.random() < 0.5 else rng.random() for _ in rows]
        after = before.changed({0: Moved(np.array(rows), np.array(now))})
        for row, value in zip(rows, now, strict=True):
            values[row] = value
        anew = made([values, values])
        anew._make_order(0, None)
        for found, wanted in zip(after._orders[0].parts, anew._orders[0].parts, strict=True):
            assert np.array_equal(found, wanted)
        assert after.columns[0][:size].tolist() == values
        assert after.columns[1] is before.columns[1]
        assert after._orders[1] is _UNMADE


def test_with_health__shares_all_that_did_not_change_and_answers_as_a_new_engine() -> None:
    rng = Random(5)
    names = [f"o{at}" for at in range(90)]
    catalog = catalog_of(
        *(
            offer(name, f"p{at % 7}", f"m{at % 9}", **({} if at % 3 else {"price_out": rng.random() * 9}))
            for at, name in enumerate(names)
        )
    )
    policies = [
        policy_of(catalog, ["not", ["is", "breaker_open"]], ["neg", ["normalize", ["field", "price_out"]]]),
        policy_of(catalog, ["cmp", "price_out", "le", 6], ["field", "price_out"]),
        policy_of(catalog, ["cmp", "credits", "ge", 1], ["neg", ["field", "price_in"]]),
    ]
    health = tr.Health.of({"ema": {f"p{at}|m{at}": {"price_out": 1.0 + at} for at in range(7)}})
    engine = tr.Engine(catalog, health, threads=1)
    for step in range(40):
        for policy in policies:
            assert same(engine.rank(policy), tr.Engine(catalog, health).rank(policy))
        key = f"p{rng.randrange(7)}|m{rng.randrange(9)}"
        change = rng.randrange(4)
        if change == 0:
            health = health.updated(ema={key: {"price_out": rng.random() * 9, "price_in": rng.random()}})
        elif change == 1:
            health = health.updated(credits={f"p{step % 7}": rng.random() * 3})
        elif change == 2:
            health = tr.Health(dict(list(health.ema.items())[1:]), health.breakers, health.disabled, health.credits)
        else:
            health = health.updated(breakers={f"p{step % 7}": rng.random() < 0.5})
        before, engine = engine, engine.with_health(health)
        if change == 3:
            assert engine._now.view(V2).observations is before._now.view(V2).observations
