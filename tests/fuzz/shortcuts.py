"""Scorers that the engine takes shortcuts for, on catalogs large enough for them: ``python -m tests.fuzz.shortcuts``.

`differential` draws policies of every kind, mostly over a few offers. Here catalogs have 65 to 700 offers, filters
leave many of them, and scorers are sums of linear parts or chains over one field, on columns with ties, missing values,
values apart by a last digit, and values at the ends of what a double holds.
"""

from __future__ import annotations

import argparse
import sys
from random import Random
from typing import Any

import numpy as np

import tenantrank as tr
from tests.reference.evaluate import rank
from tests.reference.signature import TIER_ORDER, V2, Term

NAMES = ("n0", "n1", "n2", "n3")
FIELDS: dict[str, dict[str, Any]] = {
    **{name: {"sort": "Num", "default": default} for name, default in zip(NAMES, (0.0, 1.5, -2.0, 0.25), strict=True)},
    "flag": {"sort": "Bool", "default": False},
}
RANKED = (*NAMES, "price_in", "price_out", "context")


def draw_value(rng: Random, style: int, few: list[float]) -> float:
    if style == 0:
        return rng.choice(few)
    if style == 1:
        return rng.uniform(0, 10)
    if style == 2:
        return 1e6 + rng.randrange(40) * 2.0**-33
    if style == 3:
        return rng.choice((1e308, -1e308, 5e-324, 1e30, -1e30, 1e-40, 0.0, 3.0))
    return 10 ** rng.uniform(-6, 6)


def draw_offers(rng: Random) -> list[dict[str, Any]]:
    size = rng.randint(65, 700)
    columns: dict[str, tuple[int, list[float], float]] = {}
    for name in (*NAMES, "price_in", "price_out"):
        style = rng.choice((0, 0, 1, 1, 2, 3, 4, 4))
        columns[name] = style, [round(rng.uniform(0, 9), 1) for _ in range(rng.randint(1, 9))], rng.choice((0, 0, 0.1))
    offers = []
    for at in range(size):
        record: dict[str, Any] = {"id": f"o{at}", "provider_id": f"p{rng.randrange(5)}", "model_family": f"m{at % 30}"}
        for name, (style, few, missing) in columns.items():
            if rng.random() >= missing:
                value = draw_value(rng, style, few)
                record[name] = abs(value) if name.startswith("price") else value
        record["flag"] = rng.random() < 0.6
        record["capabilities"] = {"context": rng.choice((4096, 8192, 128000, 200000))}
        offers.append(record)
    return offers


def draw_clause(rng: Random, offers: list[dict[str, Any]]) -> Term:
    kind = rng.randrange(6)
    if kind == 0:
        return ["is", "flag"]
    if kind == 1:
        return ["not", ["provider_eq", f"p{rng.randrange(6)}"]]
    if kind == 2:
        return ["or", ["provider_eq", f"p{rng.randrange(6)}"], draw_clause(rng, offers)]
    field = rng.choice((*NAMES, "price_in", "price_out"))
    known = [offer[field] for offer in offers if field in offer] or [1.0]
    relation = rng.choice(("le", "le", "ge", "lt", "gt", "ne", "eq"))
    return ["cmp", field, relation, rng.choice((rng.choice(known), max(known), min(known)))]


def draw_linear(rng: Random) -> Term:
    scorer: Term = ["field", rng.choice(RANKED)]
    if rng.random() < 0.8:
        scorer = ["normalize", scorer]
    if rng.random() < 0.08:
        scorer = ["lit", rng.choice((0.5, -3.0, 1e30))]
    for _ in range(rng.randrange(3)):
        scorer = ["neg", scorer] if rng.random() < 0.5 else ["scale", rng.choice((0.3, -0.7, 2.0, 1e-9, 1e9)), scorer]
    return scorer


def draw_scorer(rng: Random) -> Term:
    if rng.random() < 0.55:
        return ["add", *(draw_linear(rng) for _ in range(rng.randint(1, 4)))]
    scorer = draw_linear(rng)
    while rng.random() < 0.4:
        low = rng.choice((0.0, 0.2, -1.0))
        scorer = ["clamp", low, low + rng.choice((0.0, 0.1, 0.5, 3.0)), scorer]
        if rng.random() < 0.5:
            scorer = ["scale", rng.choice((0.3, -0.7)), scorer]
    return scorer


def draw_term(rng: Random, offers: list[dict[str, Any]]) -> Term:
    clauses = [draw_clause(rng, offers) for _ in range(rng.choice((0, 0, 1, 1, 2, 3)))]
    plan = ["always", {"action": "next_candidate"}]
    return ["policy", ["and", ["top"], *clauses], draw_scorer(rng), ["argmax"], ["id"], plan]


def differences(seed: int, world: int, cases: int = 12) -> list[str]:
    """What engine and reference answer differently in one world."""
    rng = Random(f"shortcuts {seed}/{world}")
    offers = draw_offers(rng)
    catalog = tr.Catalog.from_records(offers, FIELDS)
    engine = tr.Engine(catalog, threads=1)
    terms = [draw_term(rng, offers) for _ in range(cases)]
    policies = [tr.admit(term, catalog.fields) for term in terms]
    k = rng.choice((1, 2, 5, 8, 20, 48, 49))
    batch = engine.rank_rows(policies, k=k)
    found = []
    for at, (term, policy) in enumerate(zip(terms, policies, strict=True)):
        wanted = rank(term, offers, {}, FIELDS, TIER_ORDER, V2)
        for places in (k, None):
            decision = engine.rank(policy, k=places)
            same = list(decision.offer_ids) == wanted.ordered[:places]
            scores = np.array(decision.scores).tobytes() == np.array(wanted.scores[:places], dtype=np.float64).tobytes()
            if not (same and scores):
                found.append(f"world {world}, case {at}, k={places}: {policy.encoding}")
        filled = int(batch.ranked[at])
        if [catalog.offer_ids[row] for row in batch.rows[at, :filled]] != wanted.ordered[:k]:
            found.append(f"world {world}, case {at}, in the batch, k={k}: {policy.encoding}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    count = 0
    for world in range(given.worlds):
        for line in differences(given.seed, world):
            count += 1
            print(f"{line}  (seed {given.seed})")
    print(f"{given.worlds} worlds, {count} mismatches")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
