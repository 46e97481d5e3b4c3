"""Seeded random terms: every op of both versions, over the names and numbers that a catalog holds."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.reference.observe import Offer
from tests.reference.signature import (
    ACTIONS,
    BUILTINS,
    BUILTINS_V1,
    RELATIONS,
    SIGNATURES,
    TERM_SORTS,
    TIER_ORDER,
    V1,
    Fields,
    Term,
)
from tests.reference.words import ABSENT, CAPABILITIES, FAMILIES, FIELDS, KINDS, PEERS, PROVIDERS

NUMBERS = (0, 0.0, -0.0, 1, 1.0, -1, 0.1, 0.5, 2, 0.3, -0.25, 3.5, 100, 5e-324, 1e-300, 1e308, -1e308)
PARAMETERS = ("temperature", "top_p", "max_tokens", "seed", "日本")
JUNK: tuple[Any, ...] = (
    "x",
    5,
    -1,
    1.5,
    True,
    None,
    ["zero"],
    ["top"],
    ["argmax"],
    [],
    {"op": "and"},
    {"action": "explode"},
    "partner",
)


@dataclass(frozen=True)
class Vocabulary:
    """What a catalog's terms may speak of: the names that occur, others that do not, and numbers near the data."""

    count: int
    providers: tuple[str, ...]
    families: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    servers: tuple[str, ...]
    num_fields: tuple[str, ...]
    bool_fields: tuple[str, ...]
    values: dict[str, tuple[float, ...]]

    @classmethod
    def of(cls, offers: Sequence[Offer], version: str, fields: Fields = FIELDS) -> Vocabulary:
        old = BUILTINS_V1 if version == V1 else {}
        sorts = {name: sort for name, (sort, _) in {**BUILTINS, **old}.items()}
        sorts.update((name, str(declared["sort"])) for name, declared in fields.items())
        values: dict[str, tuple[float, ...]] = {}
        step = max(1, len(offers) // 50)
        for name, sort in sorts.items():
            if sort == "Num":
                seen = [
                    (offer.get("capabilities", {}) if name == "context" else offer).get(name)
                    for offer in offers[::step]
                ]
                values[name] = tuple(value for value in seen if value is not None)
        return cls(
            count=len(offers),
            providers=tuple(sorted({offer["provider_id"] for offer in offers})) or PROVIDERS,
            families=tuple(sorted({offer["model_family"] for offer in offers})[:50]) or FAMILIES,
            pairs=tuple(
                (offer["provider_id"], offer["model_family"]) for offer in offers[:: max(1, len(offers) // 30)]
            ),
            servers=(*PEERS, *PROVIDERS[:4], ABSENT),
            num_fields=tuple(name for name, sort in sorts.items() if sort == "Num"),
            bool_fields=tuple(name for name, sort in sorts.items() if sort == "Bool"),
            values=values,
        )

    def number(self, rng: Random, name: str) -> float:
        """A number to compare a field with: mostly one that occurs or its neighbour, so that cuts fall in the data."""
        seen = self.values.get(name)
        if not seen or rng.random() < 0.2:
            return rng.choice(NUMBERS)
        value = rng.choice(seen)
        nudge = rng.random()
        if nudge < 0.1:
            return math.nextafter(value, -math.inf) if abs(value) < 1e308 else value
        if nudge < 0.2:
            return math.nextafter(value, math.inf) if abs(value) < 1e308 else value
        return value


def random_atom(rng: Random, version: str, words: Vocabulary) -> Term:
    op = rng.choice([op for op, (sort, kinds) in SIGNATURES[version].items() if sort == "Pred" and not subterms(kinds)])
    if op in ("top", "bot") and rng.random() < 0.7:
        op = "cmp"
    if op == "cmp":
        name = rng.choice(words.num_fields)
        return ["cmp", name, rng.choice(RELATIONS), words.number(rng, name)]
    if op == "is":
        return ["is", rng.choice(words.bool_fields)]
    if op in ("tier_eq", "min_tier"):
        return [op, rng.choice(TIER_ORDER)]
    if op == "has_cap":
        return ["has_cap", rng.choice((*CAPABILITIES, "supports_nothing"))]
    if op in ("family_eq", "provider_eq", "served_by_eq"):
        pool = {"family_eq": words.families, "provider_eq": words.providers, "served_by_eq": words.servers}[op]
        return [op, rng.choice(pool) if rng.random() < 0.9 else ABSENT]
    return [op]


def subterms(kinds: tuple[str, ...]) -> bool:
    return any(kind.removesuffix("+") in TERM_SORTS for kind in kinds)


def split(rng: Random, size: int) -> list[int]:
    """A size divided among a few children."""
    parts = []
    while size > 0:
        parts.append(rng.randint(1, size))
        size -= parts[-1]
    return parts or [1]


def random_pred(rng: Random, version: str, words: Vocabulary, size: int, depth: int = 0) -> Term:
    """Any predicate of about `size` atoms."""
    if depth < 40 and rng.random() < 0.2:
        return ["not", random_pred(rng, version, words, size, depth + 1)]
    if size <= 1 or depth >= 40:
        return random_atom(rng, version, words)
    op = rng.choice(("and", "or"))
    return [op, *(random_pred(rng, version, words, part, depth + 1) for part in split(rng, size))]


def random_filter(rng: Random, version: str, words: Vocabulary, size: int) -> Term:
    """A filter, mostly of the kinds that keep some offers and reject others."""
    style = rng.random()
    if style < 0.1:
        return ["top"]
    if style < 0.4:
        return random_pred(rng, version, words, size)
    if style < 0.6:  # clauses that hold for many offers
        return ["or", *(random_pred(rng, version, words, max(1, size // 3)) for _ in range(rng.randint(1, 4)))]
    clauses: list[Term] = []
    if rng.random() < 0.6:
        op, names = ("family_eq", words.families) if version == V1 else ("provider_eq", words.providers)
        clauses.append(["or", *([op, rng.choice(names)] for _ in range(rng.randint(1, 6)))])
    if rng.random() < 0.4:
        clauses.append(["not", ["is", rng.choice(("disabled", "breaker_open"))]])
    if rng.random() < 0.4:
        clauses.append([rng.choice(("meets_req", "scope_matches"))])
    while not clauses or (rng.random() < 0.4 and len(clauses) < size + 2):
        clauses.append(random_atom(rng, version, words))
    rng.shuffle(clauses)
    return ["and", *clauses]


def random_scorer(rng: Random, version: str, words: Vocabulary, size: int, depth: int = 0) -> Term:
    """Any scorer of about `size` leaves: ties, infinities and NaN come about by themselves."""
    if size <= 1 or depth >= 40:
        leaves: list[Term] = [["field", rng.choice(words.num_fields)]] * 6 + [["lit", rng.choice(NUMBERS)], ["zero"]]
        if version == V1:
            leaves += [[op] for op in ("quality", "speed", "cost", "free_credit", "partner")]
        leaf = difference(rng) if rng.random() < 0.08 else rng.choice(leaves)
        if depth >= 40 or rng.random() < 0.5:
            return leaf
        size = 1
    style = rng.randrange(11)
    if style <= 2 and size > 1:
        return ["add", *(random_scorer(rng, version, words, part, depth + 1) for part in split(rng, size))]
    child = random_scorer(rng, version, words, size if style <= 6 else size - 1, depth + 1)
    if style <= 4:
        return ["scale", rng.choice((*NUMBERS, round(rng.random(), 2), round(rng.random(), 2))), child]
    if style == 5:
        return ["neg", child]
    if style <= 7:
        return ["normalize", child]
    if style == 8:
        return ["clamp", rng.choice(NUMBERS), rng.choice(NUMBERS), child]
    if style == 9:
        return ["neg", ["normalize", child]]
    return ["gate", random_pred(rng, version, words, max(1, size // 2), depth + 1), child]


def difference(rng: Random) -> Term:
    """One unbounded field less another: NaN where neither is known."""
    one, other = rng.choices(("price_in", "price_out", "latency_ms"), k=2)
    return ["add", ["field", one], ["scale", rng.choice((-1, -0.5)), ["field", other]]]


def usual_scorer(rng: Random, words: Vocabulary) -> Term:
    """A weighted sum of normalized fields, as real policies have it."""
    terms: list[Term] = []
    for _ in range(rng.randint(1, 4)):
        leaf: Term = ["normalize", ["field", rng.choice(words.num_fields)]]
        terms.append(["scale", round(rng.random(), 2), ["neg", leaf] if rng.random() < 0.5 else leaf])
    return terms[0][2] if len(terms) == 1 else ["add", *terms]


def random_selector(rng: Random, words: Vocabulary, depth: int = 0) -> Term:
    # Sampling is quadratic, so a large catalog sees it seldom.
    sampling = 0.2 if words.count <= 1000 else 0.01
    style = rng.random()
    if style < sampling:
        return ["sample", rng.choice((0, -1, 0.1, 0.5, 1, 1.5, 10, 1e308))]
    if style < 0.55:
        return ["argmax"]
    if style < 0.65:
        return ["ordered"]
    if style < 0.8 or depth >= 3:
        return ["chain", random_chain(rng, words)]
    return ["top_k", rng.choice((1, 2, 3, 3.0, 8, 64, 2**53)), random_selector(rng, words, depth + 1)]


def random_chain(rng: Random, words: Vocabulary) -> list[dict[str, str]]:
    links = []
    for _ in range(rng.randint(0, 8)):
        provider, family = rng.choice((*words.pairs, (ABSENT, words.families[0])))
        link = {rng.choice(("provider", "provider_id")): provider, rng.choice(("model", "model_family")): family}
        if rng.random() < 0.1:
            link = {"provider": provider, "provider_id": ABSENT, "model": family}
        links.append(link)
    return links


def random_xform(rng: Random, version: str, words: Vocabulary, size: int) -> Term:
    """Any request transform; a custom one is named greet."""
    name = rng.choice(PARAMETERS)
    if size > 1 and rng.random() < 0.8:
        return ["seq", *(random_xform(rng, version, words, part) for part in split(rng, size))]
    style = rng.randrange(9)
    if style == 0:
        return ["set_param", name, rng.choice((*NUMBERS, True, False, "from_ctx", "text", ""))]
    if style == 1:
        return ["inject_seed", name]
    if style == 2:
        return ["clamp_param", name, rng.choice(NUMBERS), rng.choice(NUMBERS)]
    if style == 3:
        return ["jitter", name, rng.choice((0, 0.1, 0.3, -2, 1e308))]
    if style == 4:
        return ["when", random_pred(rng, version, words, 2), random_xform(rng, version, words, size - 1)]
    if style <= 6:
        steps = rng.sample(("NFKC", "NormalizeWS", {"GaussianNoise": 0.05}, {"z": 1, "a": 2.0}), rng.randint(0, 3))
        return [rng.choice(("filter_text", "filter_image")), steps]
    return ["custom", "greet"] if style == 7 else ["id"]


def random_action(rng: Random) -> dict[str, Any]:
    action: dict[str, Any] = {"action": rng.choice(ACTIONS)}
    if rng.random() < 0.5:
        action["attempts"] = rng.choice((0, 1, 2, 2.0, 3, 1.5, -1))
    if rng.random() < 0.5:
        action["backoff_ms"] = rng.choice((0, 250, 50.5, [], [100], [100, 200.0, 400]))
    if rng.random() < 0.3:
        action["then_action"] = rng.choice(ACTIONS)
    if rng.random() < 0.3:
        action[rng.choice(("open_breaker_ms", "mark_unavailable_ms"))] = rng.choice((0, 1000, 60000))
    return action


def random_failplan(rng: Random) -> Term:
    """A failure plan; reasons are overridden more than once, and with the base's own action too."""
    plan: Term = ["always", random_action(rng)]
    pool = [plan[1], *(random_action(rng) for _ in range(3))]
    for _ in range(rng.choice((0, 0, 1, 2, 5))):
        plan = ["override", plan, rng.choice(KINDS), rng.choice(pool)]
    return plan


def random_evidence(rng: Random, depth: int = 0) -> Term:
    if depth >= 4 or rng.random() < 0.6:
        return rng.choice((["ev_zero"], ["from_prov", "self"], ["from_prov", "peer"]))
    if rng.random() < 0.5:
        return ["ev_add", *(random_evidence(rng, depth + 1) for _ in range(rng.randint(1, 3)))]
    return [rng.choice(("ev_scale", "decay")), rng.choice((0, 0.5, 1)), random_evidence(rng, depth + 1)]


def random_term(rng: Random, version: str, words: Vocabulary, size: int) -> Term:
    """A policy whose filter and scorer each have about `size` leaves."""
    scorer = (
        usual_scorer(rng, words) if rng.random() < 0.3 else random_scorer(rng, version, words, rng.randint(1, size))
    )
    policy: Term = [
        "policy",
        random_filter(rng, version, words, rng.randint(1, size)),
        scorer,
        random_selector(rng, words),
        random_xform(rng, version, words, rng.randint(1, 3)),
        random_failplan(rng),
    ]
    if version == V1:
        policy.insert(1, random_evidence(rng))
    return policy


def spoiled(rng: Random, term: Term) -> Any:
    """A copy of a term with one element somewhere replaced, added or removed: mostly to be refused, not always."""
    if rng.random() < 0.03:
        return rng.choice(JUNK)
    changed = copy.deepcopy(term)
    node: Any = changed
    while True:
        inner = [
            child for child in (node.values() if isinstance(node, dict) else node) if isinstance(child, list | dict)
        ]
        if not inner or rng.random() < 0.25:
            break
        node = rng.choice(inner)
    junk = copy.deepcopy(rng.choice(JUNK))
    if isinstance(node, dict):
        node[rng.choice((*node, "note"))] = junk
    elif not node or rng.random() < 0.2:
        node.insert(rng.randint(0, len(node)), junk)
    elif rng.random() < 0.3:
        node.pop(rng.randrange(len(node)))
    else:
        node[rng.randrange(len(node))] = junk
    return changed
