"""Replay of conformance vectors: the language's own cases, and random, chosen and failover ones in the same words.

Answers must be equal: orders, reasons, encodings and actions exactly, scores bit for bit (in a ``vectors`` file within
1e-12, as it was published). A case that expects nothing has not passed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantrank.cli.vectors import World, read_vectors
from tenantrank.errors import ConformanceError, PolicyError, TenantrankError
from tenantrank.policy.failover import End, Failover, FailureState, Target, Wait
from tenantrank.policy.failure_plan import classify
from tenantrank.policy.policy import admit, admit_term
from tenantrank.policy.signature import V2


@dataclass
class Report:
    """What replaying one file gave: how many cases passed, and one line for each that did not."""

    path: Path
    passed: int = 0
    failures: list[str] = field(default_factory=list)


def replay(path: Path) -> Report:
    """Replay every case of a vector file.

    Raises
    ------
    ConformanceError
        for a file that is not one of vectors, or holds no case
    """
    report = Report(path)
    world, cases = read_vectors(path)
    for number, case in enumerate(cases):
        problem = _problem(world, case)
        if problem is None:
            report.passed += 1
        else:
            name = f" {case['name']}" if "name" in case else ""
            report.failures.append(f"case {number} ({_clipped(case.get('kind'), str)}{name}): {problem}")
    return report


def _problem(world: World, case: Mapping[str, Any]) -> str | None:
    """Say the first thing that is wrong with a case."""
    kind = case.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        return f"not a case of a known form: kind {_clipped(kind)}"
    try:
        return next(_KINDS[kind](world, case), None)
    except KeyError as error:
        return f"not a case of a known form: it has no {error}"
    except TenantrankError as error:
        return str(error)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RecursionError) as error:
        # Cases are not checked before they are used; whatever stumbles over one has not passed it.
        return f"cannot be replayed: {type(error).__name__}: {error}"


def _admission(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    term = case["term"]
    try:
        # A bare string is the JSON value here, not text to parse.
        found = admit_term(json.dumps(term) if isinstance(term, str) else term, world.vocabulary, world.version).sort
    except PolicyError:
        found = None
    if found != case["sort"]:
        yield f"sort {found}, expected {case['sort']}"


_DIGESTS = ("sort", "encoding", "fingerprint", "sha256")


def _encoding(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    if not any(name in case.get("expect", case) for name in _DIGESTS):
        yield f"expects none of {', '.join(_DIGESTS)}"
    yield from _digests(world, case)


def _digests(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    expected = case.get("expect", case)
    term = world.term(case)
    given = (term.sort, term.encoding, term.fingerprint, term.identity)
    for name, found in zip(_DIGESTS, given, strict=True):
        if name in expected and found != expected[name]:
            yield f"{name} {found}, expected {expected[name]}"
    again = admit_term(term.term, world.vocabulary, world.version)
    if again.encoding != term.encoding:
        yield f"normal form is not stable: {again.encoding}"


def _policy(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    yield from _digests(world, case)
    policy = admit(case["term"], world.vocabulary, world.version)
    context = case["ctx"]
    if "candidates" in case:
        offers = _with_ids(case["candidates"])
        engine = world.engine_over(offers, context.get("state"))
        expected = case["expect"]
        rejected = [[entry["provider"], entry["reason"]] for entry in expected["rejected"]]
    else:
        engine = world.engine(case["catalog"], context.get("state"))
        expected, rejected = case, case["rejected"]
    decision = engine.rank(policy, context.get("request"), context.get("seed"))
    names = {row["id"]: row["provider_id"] for row in offers} if "candidates" in case else None
    named: Callable[[str], str] = (lambda offer: names[offer]) if names is not None else str
    yield from _unequal("order", [named(offer) for offer in decision.offer_ids], expected["ordered"])
    yield from _unequal("number of scores", len(decision.scores), len(expected["scores"]))
    for found, wanted in zip(decision.scores, map(_score, expected["scores"]), strict=False):
        same = abs(found - wanted) <= world.tolerance if world.tolerance else _same_bits(found, wanted)
        if not same:
            yield f"score {found!r}, expected {wanted!r}"
    yield from _unequal("rejected", [[named(offer), why] for offer, why in decision.rejected.items()], rejected)
    best = engine.rank(policy, context.get("request"), context.get("seed"), k=3)
    yield from _unequal("first three", list(best.offer_ids), list(decision.offer_ids[:3]))


def _pred(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    yield from _digests(world, case)
    evidence = [["ev_zero"]] if world.version != V2 else []
    plan = ["always", {"action": "abort"}]
    policy = admit(["policy", *evidence, case["term"], ["zero"], ["argmax"], ["id"], plan], world.vocabulary)
    for trial in _some(case["cases"]):
        engine = world.engine_over(_with_ids([trial["candidate"]]), trial["ctx"].get("state"))
        decision = engine.rank(policy, trial["ctx"].get("request"))
        reason = next(iter(decision.rejected.values()), None)
        yield from _unequal("passes", bool(decision.offer_ids), trial["expect_ok"])
        if not trial["expect_ok"]:
            yield from _unequal("reason", reason, trial["expect_reason"])


def _xform(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    context = case["ctx"]
    if "candidate" in case:
        yield from _digests(world, case)
        offers = _with_ids([case["candidate"]])
        engine, offer = world.engine_over(offers, context.get("state")), offers[0]["id"]
        expected = case["expect"]["request"]
    else:
        engine, offer, expected = world.engine(case["catalog"], context.get("state")), case["offer"], case["expect"]
    term = world.term(case, "Xform")
    body = engine.apply(term.root, term.version, case["request"], offer, context.get("request"), context.get("seed"))
    yield from _unequal("request", body, expected)


def _failplan(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    if "expect" in case:
        yield from _digests(world, case)
        trials = [(entry["kind"], entry["action"]) for entry in case["expect"]["classified"]]
    else:
        trials = [(entry["reason"], entry["action"]) for entry in case["cases"]]
    plan = world.term(case, "FailPlan").root
    for reason, action in _some(trials):
        yield from _unequal(f"action on {reason}", classify(plan, reason), action)


def _failover(world: World, case: Mapping[str, Any]) -> Iterator[str]:
    offers = _with_ids(case["offers"])
    targets = {row["id"]: Target(row["id"], row["provider_id"], row["model_family"]) for row in offers}
    engine, state = world.engine_over(offers), FailureState()
    for call in _some(case["calls"]):
        policy = admit(call["term"], world.vocabulary, world.version)
        now, answers, waits = call["at_ms"], iter(call["answers"]), []
        ranked = engine.with_health(state.health(now)).rank(policy).offer_ids
        run = Failover(policy.failure_plan, [targets[offer] for offer in ranked], state)
        while not isinstance(step := run.step(now), End):
            if isinstance(step, Wait):
                waits.append(step.ms)
                now += step.ms
                continue
            now += world.call_latency_ms
            kind = next(answers, "ok")
            if kind == "ok":
                run.succeeded()
            else:
                run.failed(kind, now)
        found = {
            "ok": step.error is None,
            "error": step.error,
            "chosen": None if step.chosen is None else [step.chosen.provider_id, step.chosen.model_family],
            "path": run.events,
            "waits": waits,
            "end_ms": now,
        }
        yield from _unequal("run", found, {key: call["expect"].get(key) for key in found})


def _with_ids(offers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": f"offer-{number}", **offer} for number, offer in enumerate(offers)]


def _some(trials: list[Any]) -> list[Any]:
    if not trials:
        raise ConformanceError("expects nothing")
    return trials


def _unequal(what: str, found: Any, expected: Any) -> Iterator[str]:
    if found != expected:
        yield f"{what} {_clipped(found)}, expected {_clipped(expected)}"


def _clipped(value: Any, written: Callable[[Any], str] = repr) -> str:
    text = written(value)
    return text if len(text) <= 200 else text[:197] + "…"


def _score(written: Any) -> float:
    return float(written)


def _same_bits(found: float, wanted: float) -> bool:
    # A vector writes either zero as 0.
    return found == wanted or (math.isnan(found) and math.isnan(wanted))


_KINDS: dict[str, Callable[[World, Mapping[str, Any]], Iterator[str]]] = {
    "admission": _admission,
    "encoding": _encoding,
    "evidence": _encoding,
    "policy": _policy,
    "pred": _pred,
    "xform": _xform,
    "failplan": _failplan,
    "failover": _failover,
}
