"""The engine against the reference on random worlds, case by case: ``python -m tests.fuzz.differential``.

A world is one catalog, one health and, now and then, an envelope, with `CASES_A_WORLD` policies of both versions. It is
drawn from the run's seed and its own number alone, so that ``--seed S --world W`` draws it again.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import numpy as np

import tenantrank as tr
from tenantrank.engine import Ranked
from tests.fuzz.shapes import reshaped
from tests.reference import generate
from tests.reference.evaluate import rank
from tests.reference.language import encode, fingerprint, identity, sort_of
from tests.reference.signature import TIER_ORDER, V1, V2, Term
from tests.reference.terms import random_pred
from tests.reference.transform import transform

CASES_A_WORLD = 10
OTHER_TIER_ORDER = ("gold", "partner", "fallback", "marketplace")
LIMITS = (1, 2, 3, 4, 5, 6, 7, 8, 20, 48, 49)


@dataclass(frozen=True)
class Case:
    """One ranking: its policy as the generator wrote it, what it is ranked for, and its number in its world."""

    number: int
    version: str
    term: Term
    request: dict[str, Any]
    seed: int | None
    k: int


@dataclass(frozen=True)
class World:
    """What the cases of a world share."""

    number: int
    offers: list[dict[str, Any]]
    tier_order: tuple[str, ...]
    state: dict[str, Any]
    envelope: Term | None
    cases: list[Case]
    spoiled: list[tuple[str, Any]]


@dataclass(frozen=True)
class Mismatch:
    """Something that the engine and the reference answer differently; ``case`` is ``None`` for the whole batch."""

    seed: int
    world: int
    case: int | None
    what: str

    def __str__(self) -> str:
        place = "batch" if self.case is None else f"case {self.case}"
        again = f"python -m tests.fuzz.differential --seed {self.seed} --world {self.world}"
        return f"world {self.world}, {place}: {self.what}  (again: {again})"


@dataclass
class Result:
    """How many cases were compared, and what differed."""

    count: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)


def run(cases: int, seed: int, on_progress: Callable[[int], None] | None = None) -> Result:
    """Compare at least ``cases`` cases, in whole worlds; `on_progress` is told how many are done after each."""
    result = Result()
    while result.count < cases:
        compare_world(draw_world(seed, result.count // CASES_A_WORLD), seed, result)
        if on_progress is not None:
            on_progress(result.count)
    return result


def draw_size(rng: Random, world: int) -> int:
    """The number of offers: mostly few, often at the edge of a 64-bit word, seldom as many as a real catalog has.

    Beyond 64 the engine bounds sums of scores, and skips stretches of an order: about a tenth of the worlds are there.
    """
    if world % 5000 == 2500:
        return 9000
    if world % 500 == 50:
        return 2000 if world % 1000 == 550 else 1000
    style = rng.random()
    if style < 0.03:
        return 0
    if style < 0.08:
        return 1
    if style < 0.14:
        return rng.choice((63, 64, 65))
    if style < 0.17:
        return rng.choice((127, 128, 129, 511, 512, 513))
    if style < 0.21:
        return rng.randint(65, 200)
    if style < 0.23:
        return rng.randint(200, 600)
    return rng.randint(2, 12) if style < 0.75 else rng.randint(13, 62)


def draw_world(seed: int, number: int, size: int | None = None) -> World:
    """The world of a number under a run's seed; ``size`` fixes how many offers it has."""
    rng = Random(f"{seed}/{number}")
    drawn = draw_size(rng, number)
    offers = [_with_whole_counts(offer) for offer in generate.random_catalog(rng, drawn if size is None else size)]
    words = {version: generate.Vocabulary.of(offers, version) for version in (V1, V2)}
    old = rng.choice((0.0, 0.3, 1.0))
    envelope = None
    if rng.random() < 0.3:
        # An envelope is a term of the second version, whatever the policies around it.
        envelope = random_pred(rng, V2, words[V2], rng.randint(1, 3))
    cases = []
    for at in range(CASES_A_WORLD):
        version = V1 if rng.random() < old else V2
        term = generate.random_term(rng, version, words[version], rng.choice((1, 3, 8, 16)))
        cases.append(
            Case(
                at,
                version,
                reshaped(rng, term, version, words[version], len(offers) > 64),
                generate.random_request(rng, words[version]),
                rng.choice((None, rng.choice(generate.SEEDS), rng.choice(generate.HUGE_SEEDS), rng.randrange(2**31))),
                rng.choice(LIMITS),
            )
        )
    chosen = rng.choice(cases)
    return World(
        number,
        offers,
        OTHER_TIER_ORDER if rng.random() < 0.15 else TIER_ORDER,
        generate.random_state(rng, offers, V1 if old else V2),
        envelope,
        cases,
        [(chosen.version, generate.spoiled(rng, chosen.term))],
    )


def _with_whole_counts(offer: dict[str, Any]) -> dict[str, Any]:
    """The offer with its token counts as a catalog holds them: whole numbers, here of at most 53 bits."""
    changed = {**offer, "capabilities": dict(offer.get("capabilities", {}))}
    for record, name in ((changed, "max_output"), (changed["capabilities"], "context")):
        if name in record:
            record[name] = int(max(-(2.0**53), min(2.0**53, record[name])))
    return changed


def compare_world(world: World, seed: int, result: Result) -> None:
    """Compare every case of a world on its own, then all of them as one batch; a warning counts as a mismatch."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            catalog = tr.Catalog.from_records(world.offers, generate.FIELDS, world.tier_order)
            engine = tr.Engine(catalog, world.state, world.envelope)
        except Exception as error:
            result.mismatches.append(Mismatch(seed, world.number, None, f"no engine: {error!r}"))
            result.count += len(world.cases)
            return
        for case in world.cases:
            for what in _guarded(partial(compare_case, world, engine, case)):
                result.mismatches.append(Mismatch(seed, world.number, case.number, what))
            result.count += 1
        for compare in (compare_batch, compare_admission):
            for what in _guarded(partial(compare, world, engine)):
                result.mismatches.append(Mismatch(seed, world.number, None, what))


def compare_case(world: World, engine: tr.Engine, case: Case) -> Iterator[str]:
    """What differs between the engine's answer to one case and the reference's."""
    policy = tr.admit(case.term, engine.catalog.fields)
    text = encode(case.term, case.version)
    yield from _unequal("encoding", policy.encoding, text)
    yield from _unequal("fingerprint", policy.fingerprint, fingerprint(text))
    yield from _unequal("identity", policy.identity, identity(text))
    again = tr.admit(policy.term, engine.catalog.fields, policy.version)
    yield from _unequal("encoding of the normal form", again.encoding, text)

    ctx = {"request": case.request, "state": world.state, "seed": case.seed}
    wanted = rank(
        case.term, world.offers, ctx, generate.FIELDS, world.tier_order, case.version, envelope=world.envelope
    )
    whole = engine.rank(policy, case.request, case.seed)
    yield from _unequal("order", list(whole.offer_ids), wanted.ordered)
    yield from _unequal_scores("scores", whole.scores, wanted.scores)
    yield from _unequal("rejected", list(whole.rejected.items()), wanted.rejected)
    yield from _unequal("survivors", whole.survivors, len(world.offers) - len(wanted.rejected))

    best = engine.rank(again, case.request, case.seed, case.k)
    yield from _unequal(f"first {case.k}", list(best.offer_ids), wanted.ordered[: case.k])
    yield from _unequal_scores(f"scores of the first {case.k}", best.scores, wanted.scores[: case.k])
    yield from _unequal(f"survivors with k={case.k}", best.survivors, whole.survivors)
    yield from _compare_transform(world, engine, case, policy)


def _compare_transform(world: World, engine: tr.Engine, case: Case, policy: tr.Policy) -> Iterator[str]:
    if not world.offers or case.number % 2:
        return
    offer = world.offers[case.number * 31 % len(world.offers)]
    body = {"temperature": 0.5, "max_tokens": 100, "top_p": "high"}
    ctx = {"request": case.request, "state": world.state, "seed": case.seed}
    custom = {"greet": _greeted}
    wanted = transform(case.term[-2], body, offer, ctx, generate.FIELDS, world.tier_order, case.version, custom)
    name = str(offer.get("id", offer.get("offer_id")))
    found = engine.transform(policy, body, name, case.request, case.seed, custom)
    yield from _unequal("transformed body", found, wanted)


def _greeted(body: dict[str, Any]) -> dict[str, Any]:
    return {**body, "greeting": "hello"}


def compare_batch(world: World, engine: tr.Engine) -> Iterator[str]:
    """What differs, to the bit, between one batch over the world's cases and ranking them one by one."""
    policies = [tr.admit(case.term, engine.catalog.fields) for case in world.cases]
    requests = [case.request for case in world.cases]
    seeds = [case.seed for case in world.cases]
    k = world.cases[0].k
    single = [
        engine.rank(policy, request, seed, k) for policy, request, seed in zip(policies, requests, seeds, strict=True)
    ]
    rows = engine.rank_rows(policies, requests, k, seeds)
    table = engine.rank_many(policies, requests, k, seeds)
    listed = table["scores"].to_pylist()
    for at, decision in enumerate(single):
        names = list(decision.offer_ids)
        bits = _bits(decision.scores)
        yield from _unequal(f"rank_rows order {at}", _names_of(rows, at, engine), names)
        yield from _unequal(f"rank_rows scores {at}", _bits(rows.scores[at, : rows.ranked[at]]), bits)
        yield from _unequal(f"rank_rows survivors {at}", int(rows.survived[at]), decision.survivors)
        yield from _unequal(f"rank_many order {at}", table["offer_ids"][at].as_py(), names)
        yield from _unequal(f"rank_many scores {at}", _bits(listed[at]), bits)
        yield from _unequal(f"rank_many survivors {at}", table["survivors"][at].as_py(), decision.survivors)
        yield from _unequal(f"rank_many identity {at}", table["identity"][at].as_py(), policies[at].identity)


def compare_admission(world: World, engine: tr.Engine) -> Iterator[str]:
    """What differs in the sort found for terms with a fault put in, None where they are refused."""
    for version, term in world.spoiled:
        try:
            # A bare string is a JSON value here, not text to parse.
            found = None if isinstance(term, str) else tr.admit_term(term, engine.catalog.fields, version).sort
        except tr.PolicyError:
            found = None
        yield from _unequal(f"sort of {term!r}", found, sort_of(term, generate.FIELDS, world.tier_order, version))


def _names_of(rows: Ranked, at: int, engine: tr.Engine) -> list[str]:
    return [engine.catalog.offer_ids[row] for row in rows.rows[at, : rows.ranked[at]].tolist()]


def _bits(values: Sequence[float] | np.ndarray[Any, Any]) -> bytes:
    return np.asarray(values, dtype=np.float64).tobytes()


def _guarded(compare: Callable[[], Iterator[str]]) -> list[str]:
    """All that a comparison finds; an error it meets is one finding more."""
    found: list[str] = []
    try:
        found.extend(compare())
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
    return found


def _unequal(what: str, found: Any, wanted: Any) -> Iterator[str]:
    if found != wanted:
        yield f"{what}: {_clipped(found)}, the reference has {_clipped(wanted)}"


def _unequal_scores(what: str, found: Sequence[float], wanted: Sequence[float]) -> Iterator[str]:
    """Scores are equal to the bit, the sign of a zero included, all NaN being one value."""
    same = len(found) == len(wanted) and all(
        (one == other and math.copysign(1.0, one) == math.copysign(1.0, other))
        or (math.isnan(one) and math.isnan(other))
        for one, other in zip(found, wanted, strict=True)
    )
    if not same:
        yield f"{what}: {_clipped(found)}, the reference has {_clipped(wanted)}"


def _clipped(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.differential", description=__doc__)
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--world", type=int, help="only the world of this number")
    chosen = parser.parse_args(arguments)
    if chosen.world is not None:
        result = Result()
        compare_world(draw_world(chosen.seed, chosen.world), chosen.seed, result)
    else:
        result = run(chosen.cases, chosen.seed, _Progress(chosen.cases))
    for mismatch in result.mismatches[:20]:
        print(mismatch)
    print(f"{result.count} cases, {len(result.mismatches)} mismatches")
    return 1 if result.mismatches else 0


class _Progress:
    """One line for each twentieth of the work."""

    def __init__(self, total: int) -> None:
        self._step = max(1, total // 20)
        self._next = self._step
        self._began = time.monotonic()

    def __call__(self, done: int) -> None:
        if done >= self._next:
            print(f"{done} cases after {time.monotonic() - self._began:.0f} s", flush=True)
            self._next += self._step


if __name__ == "__main__":
    sys.exit(main())
