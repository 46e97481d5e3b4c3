"""Record conformance cases: random ones, answered by the reference evaluator. ``python -m tests.reference.record``.

The same seed gives the same files, byte for byte; a test checks that the recorded ones are what this gives.
"""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from tests.reference.evaluate import rank
from tests.reference.failover import World
from tests.reference.generate import FIELDS, Vocabulary, random_catalog, random_ctx, random_term, random_xform
from tests.reference.language import encode, fingerprint, identity, sort_of
from tests.reference.observe import offer_id
from tests.reference.signature import TIER_ORDER, V1, V2
from tests.reference.terms import random_failplan, spoiled
from tests.reference.transform import classify, transform

FOLDER = Path(__file__).resolve().parents[2] / "data" / "conformance"
SIZES = (0, 1, 2, 3, 5, 8, 16, 24, 40, 63, 64, 65)
POLICIES, OTHERS, WORLDS = 240, 60, 80
CALL_LATENCY_MS = 10.0
REASONS = ("timeout", "rate_limit", "auth_error", "server_error", "bad_request", "context_overflow", "unknown", "other")


def lines(version: str) -> list[dict[str, Any]]:
    """Give the header and the cases of one version."""
    rng = Random(f"conformance {version}")
    catalogs = [[_whole(offer) for offer in random_catalog(rng, size)] for size in SIZES]
    words = [Vocabulary.of(offers, version) for offers in catalogs]
    header = {"version": version, "fields": FIELDS, "tier_order": list(TIER_ORDER), "catalogs": catalogs}
    cases: list[dict[str, Any]] = []
    for _ in range(POLICIES):
        at = rng.randrange(len(SIZES))
        term = random_term(rng, version, words[at], rng.randrange(4, 40))
        ctx = random_ctx(rng, catalogs[at], words[at], version)
        result = rank(term, catalogs[at], ctx, FIELDS, TIER_ORDER, version)
        answer = {"ordered": result.ordered, "scores": [_written(score) for score in result.scores]}
        rejected = [list(entry) for entry in result.rejected]
        case = {"kind": "policy", "term": term, "catalog": at, "ctx": ctx, **answer, "rejected": rejected}
        cases.append({**case, **_digests(term, version)})
    for _ in range(OTHERS):
        at = rng.randrange(1, len(SIZES))
        offer = rng.choice(catalogs[at])
        ctx = random_ctx(rng, catalogs[at], words[at], version)
        term = _xform(rng, version, words[at])
        body = {"temperature": rng.choice([0, 0.7, 1.5]), "max_tokens": rng.choice([16, 4096]), "user": "u"}
        expect = transform(term, body, offer, ctx, FIELDS, TIER_ORDER, version)
        case = {"kind": "xform", "term": term, "request": body, "catalog": at, "offer": offer_id(offer), "ctx": ctx}
        cases.append({**case, "expect": expect})
        plan = random_failplan(rng)
        trials = [{"reason": reason, "action": classify(plan, reason, version)} for reason in REASONS]
        cases.append({"kind": "failplan", "term": plan, "cases": trials})
        fault = spoiled(rng, random_term(rng, version, words[at], 12))
        cases.append({"kind": "admission", "term": fault, "sort": sort_of(fault, FIELDS, TIER_ORDER, version)})
    return [header, *cases]


def failover_lines() -> list[dict[str, Any]]:
    """Give the header and the worlds of calls that fail over."""
    rng = Random("conformance failover")
    header = {"version": V2, "fields": FIELDS, "tier_order": list(TIER_ORDER), "call_latency_ms": CALL_LATENCY_MS}
    return [header, *(_world(rng) for _ in range(WORLDS))]


def _world(rng: Random) -> dict[str, Any]:
    offers = [
        {"id": f"o{at}", "provider_id": rng.choice("abc"), "model_family": rng.choice("mn"), "price_out": float(at)}
        for at in range(rng.choice((0, 1, 2, 3, 4, 6)))
    ]
    world = World(offers, FIELDS, call_latency_ms=CALL_LATENCY_MS)
    now, calls = 1000.0, []
    for _ in range(rng.randrange(3, 8)):
        pred = rng.choice((["top"], ["not", ["is", "breaker_open"]], ["not", ["is", "disabled"]]))
        term = ["policy", pred, ["neg", ["field", "price_out"]], ["argmax"], ["id"], random_failplan(rng)]
        answers = rng.choices(REASONS, k=rng.randrange(9)) + ["ok"] * rng.randrange(2)
        outcome = world.call(now, term, answers)
        calls.append({"at_ms": now, "term": term, "answers": answers, "expect": asdict(outcome)})
        now = outcome.end_ms + rng.choice((0.0, 10.0, 20_000.0, 30_000.0, 400_000.0))
    return {"kind": "failover", "offers": offers, "calls": calls}


def content(version: str) -> bytes:
    """Give the file of one version."""
    return _packed(lines(version))


def failover_content() -> bytes:
    """Give the file of the worlds."""
    return _packed(failover_lines())


def _packed(written: list[dict[str, Any]]) -> bytes:
    text = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in written)
    return gzip.compress(text.encode(), mtime=0)


def path(version: str) -> Path:
    """Give where the file of one version lies."""
    return FOLDER / f"random-{version.rpartition('/')[2]}.jsonl.gz"


def _xform(rng: Random, version: str, words: Vocabulary) -> Any:
    """Give a transform that needs nothing registered."""
    while True:
        term = random_xform(rng, version, words, rng.randrange(1, 10))
        if '"custom"' not in json.dumps(term):
            return term


def _digests(term: Any, version: str) -> dict[str, str]:
    encoding = encode(term, version)
    return {"encoding": encoding, "fingerprint": fingerprint(encoding), "sha256": identity(encoding)}


def _whole(offer: dict[str, Any]) -> dict[str, Any]:
    """Round the token counts, which a catalog holds as whole numbers."""
    changed = {**offer, "capabilities": dict(offer.get("capabilities", {}))}
    for record, name in ((changed, "max_output"), (changed["capabilities"], "context")):
        if name in record:
            record[name] = int(max(-(2.0**53), min(2.0**53, record[name])))
    return changed


def _written(score: float) -> float | str:
    return score if math.isfinite(score) else str(score)


FAILOVER = FOLDER / "failover-v2.jsonl.gz"

if __name__ == "__main__":
    FAILOVER.write_bytes(failover_content())
    for each in (V1, V2):
        path(each).write_bytes(content(each))
