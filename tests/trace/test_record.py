"""Records: what they say, what they leave out, and that nothing of a call's content has a place in them."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tenantrank as tr
from tenantrank.trace.canonical import canonical
from tenantrank.trace.capture import Capture
from tenantrank.trace.record import ATTEMPT, SHOWN, About, attempts_record, rejections_form
from tests.engine.samples import ABC, catalog_of, offer, policy_of
from tests.trace.decided import STATE, small_catalog, small_rulebook

SCHEMA = Path(__file__).resolve().parents[2] / "src/tenantrank/trace/schema-1.json"


def recorded(
    decision: tr.Decision, about: About | None = None, mask: tuple[str, ...] = (), **rest: Any
) -> dict[str, Any]:
    record, _ = Capture("9.9", mask).decision(decision, about or About("tr_1"), **rest)
    found: dict[str, Any] = json.loads(canonical(record))
    return found


def test_decision__says_everything_that_went_into_it() -> None:
    engine = tr.Engine(ABC, {"breakers": {"q": True}}, ["not", ["is", "breaker_open"]])
    policy = policy_of(ABC, ["is", "region_eu"], ["neg", ["field", "price_out"]])
    record = recorded(
        engine.rank(policy, {"requirements": {"min_tok_s": 0}}, 7, 1), About("tr_1", "acme", "key", "gpt")
    )

    assert {name: record[name] for name in ("kind", "id", "tenant", "caller", "label", "engine")} == {
        "kind": "decision",
        "id": "tr_1",
        "tenant": "acme",
        "caller": "key",
        "label": "gpt",
        "engine": "9.9",
    }
    assert record["policy"] == {
        "version": "sigma-pol/v2",
        "identity": policy.identity,
        "fingerprint": policy.fingerprint,
        "encoding": policy.encoding,
        "source": "library",
    }
    assert engine.envelope is not None
    assert record["envelope"] == {"identity": engine.envelope.identity, "encoding": engine.envelope.encoding}
    assert record["catalog_id"] == ABC.catalog_id
    assert len(record["health_id"]) == 64
    assert record["request"] == {"needs": [], "min_tok_s": 0.0}
    assert (record["seed"], record["k"], record["as_of"], record["rulebook_id"]) == (7, 1, None, None)
    assert record["ranked"] == [["c", -1.0]]
    assert (record["survivors"], record["places"], record["order_digest"]) == (2, 1, None)
    assert record["masked"] == []


def test_decision__names_the_rules_and_their_reasons(tmp_path: Path) -> None:
    catalog, book = small_catalog(), small_rulebook(tmp_path)
    compiled = book.compile(STATE, "t2")
    decision = tr.Engine(catalog).rank(compiled)
    record = recorded(decision, compiled=compiled, rulebook=book, source="tenant")

    assert record["rules"] == ["base", "cap"]
    assert record["rulebook_id"] == book.rulebook_id
    ceiling = record["origins"]['(cmp "price_out" "le" 3)']
    assert ceiling == [{"rule": "cap", "field": "most", "value": 3.0}]
    assert record["origins"]["preference"] == [{"rule": "defaults", "field": None, "value": None}]
    # Without it, those behind clauses, in the clauses' order.
    assert recorded(decision)["rules"] == ["cap", "base"]
    assert "preference" not in recorded(decision)["origins"]


def test_decision__leaves_out_what_is_masked_and_says_so(tmp_path: Path) -> None:
    compiled = small_rulebook(tmp_path).compile(STATE, "t2")
    record = recorded(tr.Engine(small_catalog()).rank(compiled), mask=("most",))

    assert record["origins"]['(cmp "price_out" "le" 3)'] == [{"rule": "cap", "field": "most", "value": None}]
    assert record["masked"] == ["origins.most"]


def test_decision__bounds_what_a_client_chose() -> None:
    request = {"scope": "\ud800" + "s" * 2000, "requirements": {"model_family": "é\u2028"}}
    decision = tr.Engine(ABC).rank(policy_of(ABC, ["top"]), request)
    record = recorded(decision, About("tr_1", "t" * 5000, None, "l\udfff\r\n"))

    assert len(record["tenant"]) == len(record["request"]["scope"]) == 1024
    assert record["request"]["model_family"] == "é\u2028"
    assert record["label"] == "l?\r\n"
    assert record["masked"] == ["request.scope", "tenant", "label"]
    assert b"\n" not in canonical(record)


def test_decision__names_the_first_and_has_a_digest_of_the_rest() -> None:
    many = catalog_of(*(offer(f"o{at}") for at in range(SHOWN + 1)))
    policy = policy_of(many, ["top"])
    whole, cut = recorded(tr.Engine(many).rank(policy)), recorded(tr.Engine(many).rank(policy, k=SHOWN))

    assert len(whole["ranked"]) == len(cut["ranked"]) == SHOWN
    assert whole["places"] == SHOWN + 1
    assert len(whole["order_digest"]) == 64
    assert cut["order_digest"] is None


@pytest.mark.parametrize("size", [0, 1, 9, 4096, 4097])
def test_rejections_form__is_as_documented(size: int) -> None:
    first = np.arange(size, dtype=np.uint16) % 3
    counts = np.array([(first == 0).sum(), (first == 1).sum()], dtype=np.int32)
    form = rejections_form(tr.Rejections(("a", "b"), counts, first))
    octets = bytes(
        sum(1 << bit for bit in range(8) if at + bit < size and first[at + bit] == 2) for at in range(0, size, 8)
    )

    assert (form["clauses"], form["counts"]) == (2, counts.tolist())
    assert form["first"] == hashlib.sha256(b"".join(int(at).to_bytes(2, "little") for at in first)).hexdigest()
    if size > 4096:
        assert form["bits"] == f"sha256:{hashlib.sha256(octets).hexdigest()}"
    else:
        assert base64.b64decode(form["bits"]) == octets


def test_attempts__hold_what_is_listed_and_nothing_else() -> None:
    attempt = dict.fromkeys(ATTEMPT) | {"offer": "a", "prompt": "secret", "authorization": "key"}
    record = attempts_record("tr_1", [attempt], tenant="acme", outcome="answered", cost_usd=0.25)

    assert "secret" not in str(record)
    assert set(record["attempts"][0]) == set(ATTEMPT)
    assert (record["kind"], record["of"], record["outcome"], record["cost_usd"]) == (
        "attempts",
        "tr_1",
        "answered",
        0.25,
    )


def test_records__nothing_of_a_body_has_a_place() -> None:
    canary = "canary-7f3a"
    body = {
        "messages": [{"role": "user", "content": canary}],
        "tools": [{"type": "function", "function": {"name": canary}}],
        "images": [canary],
        "metadata": canary,
        "requirements": {"needs": [canary]},
    }
    text = canonical(recorded(tr.Engine(ABC).rank(policy_of(ABC, ["meets_req"]), body)))

    assert canary.encode() not in text
    assert hashlib.sha256(canary.encode()).hexdigest().encode() not in text


def test_records__are_those_of_the_schema(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema_rs")
    if not SCHEMA.exists():
        pytest.skip("the schema is not there")
    schema = json.loads(SCHEMA.read_text())
    compiled = small_rulebook(tmp_path).compile(STATE, "t2")
    engine = tr.Engine(small_catalog(), None, ["top"])
    decision = engine.rank(compiled, {"scope": "s", "requirements": {"min_context": 1}}, 3, 2)
    added = {"v": "tenantrank-trace/1", "seq": 1, "time": "2026-11-25T12:00:00.000000Z"}
    attempt = dict.fromkeys(ATTEMPT) | {"offer": "a", "provider": "p", "number": 1}
    for record in (
        recorded(decision, About("tr_1", "t", "c", "l"), compiled=compiled),
        recorded(tr.Engine(ABC).rank(policy_of(ABC, ["bot"]))),
        attempts_record("tr_1", [attempt]),
    ):
        jsonschema.validate(schema, {**added, **record})
