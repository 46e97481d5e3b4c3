"""Replay of conformance vectors: the language's own cases, and random, chosen and failover ones in the same words.

A file is JSON (``{"version", "vectors": […]}``) or JSON lines, gzipped or not; the first line of the latter declares
``version``, ``fields``, ``tier_order`` and ``catalogs``. Answers must be equal: orders, reasons, encodings and actions
exactly, scores bit for bit (in a ``vectors`` file within 1e-12, as it was published).
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantrank.catalog import Catalog
from tenantrank.engine.engine import Engine
from tenantrank.errors import PolicyError, TenantrankError
from tenantrank.policy.failover import End, Failover, FailureState, Target, Wait
from tenantrank.policy.failure_plan import classify
from tenantrank.policy.policy import Term, admit, admit_term
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, V2, VERSIONS, Fields


class ConformanceError(TenantrankError):
    """A vector file cannot be read as one."""


@dataclass
class Report:
    """What replaying one file gave: how many cases passed, and one line for each that did not."""

    path: Path
    passed: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class _World:
    """What a file declares for all its cases."""

    version: str
    fields: Mapping[str, Any]
    tier_order: list[str]
    catalogs: list[list[dict[str, Any]]]
    tolerance: float
    call_latency_ms: float = 0.0

    def __post_init__(self) -> None:
        self.vocabulary = Fields(self.fields, self.tier_order)
        self._engines: dict[int, Engine] = {}

    def engine(self, number: int, state: Any) -> Engine:
        if number not in self._engines:
            self._engines[number] = self.engine_over(self.catalogs[number])
        return self._engines[number].with_health(state)

    def engine_over(self, offers: list[dict[str, Any]], state: Any = None) -> Engine:
        return Engine(Catalog.from_records(offers, self.fields, self.tier_order), state)

    def term(self, case: Mapping[str, Any], sort: str | None = None) -> Term:
        return admit_term(case["term"], self.vocabulary, self.version, sort)


def replay(path: Path) -> Report:
    """Replay every case of a vector file.

    Raises
    ------
    ConformanceError
        for a file that is not one of vectors
    """
    report = Report(path)
    world, cases = _read(path)
    for number, case in enumerate(cases):
        name = f"case {number} ({case.get('kind')}{' ' + case['name'] if 'name' in case else ''})"
        try:
            problems = list(_KINDS[case["kind"]](world, case))
        except KeyError as error:
            problems = [f"not a case of a known form: {error}"]
        except TenantrankError as error:
            problems = [str(error)]
        if problems:
            report.failures.append(f"{name}: {problems[0]}")
        else:
            report.passed += 1
    return report


def _read(path: Path) -> tuple[_World, list[dict[str, Any]]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConformanceError(f"{path}: {error.strerror or error}") from None
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        if path.name.removesuffix(".gz").endswith(".json"):
            document = json.loads(text)
            cases = document["vectors"]
            world = _World(document["version"], {}, list(DEFAULT_TIER_ORDER), [], 1e-12)
        else:
            header, *cases = [json.loads(line) for line in text.splitlines() if line.strip()]
            fields, order, catalogs = header["fields"], header["tier_order"], header.get("catalogs", [])
            latency = float(header.get("call_latency_ms", 0.0))
            world = _World(header["version"], fields, order, catalogs, 0.0, latency)
        if world.version not in VERSIONS or not all(isinstance(case, dict) for case in cases):
            raise ConformanceError(f"{path}: not a file of conformance vectors")
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise ConformanceError(f"{path}: not a file of conformance vectors ({error})") from None
    return world, cases


def _admission(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    term = case["term"]
    try:
        # A bare string is the JSON value here, not text to parse.
        found = admit_term(json.dumps(term) if isinstance(term, str) else term, world.vocabulary, world.version).sort
    except PolicyError:
        found = None
    if found != case["sort"]:
        yield f"sort {found}, expected {case['sort']}"


def _encoding(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    expected = case.get("expect", case)
    term = world.term(case)
    for name, found in (
        ("sort", term.sort),
        ("encoding", term.encoding),
        ("fingerprint", term.fingerprint),
        ("sha256", term.identity),
    ):
        if name in expected and found != expected[name]:
            yield f"{name} {found}, expected {expected[name]}"
    again = admit_term(term.term, world.vocabulary, world.version)
    if again.encoding != term.encoding:
        yield f"normal form is not stable: {again.encoding}"


def _policy(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    yield from _encoding(world, case)
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
    for found, wanted in zip(decision.scores, map(_score, expected["scores"]), strict=False):
        same = abs(found - wanted) <= world.tolerance if world.tolerance else _same_bits(found, wanted)
        if not same:
            yield f"score {found!r}, expected {wanted!r}"
    yield from _unequal("rejected", [[named(offer), why] for offer, why in decision.rejected.items()], rejected)
    best = engine.rank(policy, context.get("request"), context.get("seed"), k=3)
    yield from _unequal("first three", list(best.offer_ids), list(decision.offer_ids[:3]))


def _pred(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    yield from _encoding(world, case)
    evidence = [["ev_zero"]] if world.version != V2 else []
    plan = ["always", {"action": "abort"}]
    policy = admit(["policy", *evidence, case["term"], ["zero"], ["argmax"], ["id"], plan], world.vocabulary)
    for trial in case["cases"]:
        engine = world.engine_over(_with_ids([trial["candidate"]]), trial["ctx"].get("state"))
        decision = engine.rank(policy, trial["ctx"].get("request"))
        reason = next(iter(decision.rejected.values()), None)
        yield from _unequal("passes", bool(decision.offer_ids), trial["expect_ok"])
        if not trial["expect_ok"]:
            yield from _unequal("reason", reason, trial["expect_reason"])


def _xform(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    context = case["ctx"]
    if "candidate" in case:
        yield from _encoding(world, case)
        offers = _with_ids([case["candidate"]])
        engine, offer = world.engine_over(offers, context.get("state")), offers[0]["id"]
        expected = case["expect"]["request"]
    else:
        engine, offer, expected = world.engine(case["catalog"], context.get("state")), case["offer"], case["expect"]
    term = world.term(case, "Xform")
    body = engine.apply(term.root, term.version, case["request"], offer, context.get("request"), context.get("seed"))
    yield from _unequal("request", body, expected)


def _failplan(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    if "expect" in case:
        yield from _encoding(world, case)
        trials = [(entry["kind"], entry["action"]) for entry in case["expect"]["classified"]]
    else:
        trials = [(entry["reason"], entry["action"]) for entry in case["cases"]]
    plan = world.term(case, "FailPlan").root
    for reason, action in trials:
        yield from _unequal(f"action on {reason}", classify(plan, reason), action)


def _failover(world: _World, case: Mapping[str, Any]) -> Iterator[str]:
    offers = _with_ids(case["offers"])
    targets = {row["id"]: Target(row["id"], row["provider_id"], row["model_family"]) for row in offers}
    engine, state = world.engine_over(offers), FailureState()
    for call in case["calls"]:
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


def _unequal(what: str, found: Any, expected: Any) -> Iterator[str]:
    if found != expected:
        yield f"{what} {_clipped(found)}, expected {_clipped(expected)}"


def _clipped(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "…"


def _score(written: Any) -> float:
    return float(written)


def _same_bits(found: float, wanted: float) -> bool:
    # A vector writes either zero as 0.
    return found == wanted or (math.isnan(found) and math.isnan(wanted))


_KINDS: dict[str, Callable[[_World, Mapping[str, Any]], Iterator[str]]] = {
    "admission": _admission,
    "encoding": _encoding,
    "evidence": _encoding,
    "policy": _policy,
    "pred": _pred,
    "xform": _xform,
    "failplan": _failplan,
    "failover": _failover,
}
