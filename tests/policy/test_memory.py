"""What is remembered: found again as the same object, bounded, shared by threads, and never mixed up by admission."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

from tenantrank.errors import PolicyError
from tenantrank.policy.memory import Memory
from tenantrank.policy.policy import Policy, Term, admit, admit_term
from tenantrank.policy.signature import V1, V2, Fields
from tests.policy.samples import ALWAYS, POLICIES, generated
from tests.policy.values import hostile
from tests.reference import generate

SMALL = ["policy", ["is", "no_log"], ["field", "tok_s"], ["argmax"], ["id"], ALWAYS]
TEXT = json.dumps(SMALL)


def test_memory__finds_what_was_kept_and_nothing_else() -> None:
    memory: Memory[str] = Memory()
    assert memory.find("a") is None
    assert memory.keep("a", "one", 1) == "one"
    assert memory.keep("a", "another", 1) == "one"
    assert memory.find("a") == "one"
    assert memory.find("b") is None


def test_memory__holds_two_generations_of_its_limits_at_most() -> None:
    memory: Memory[int] = Memory(entries=10, room=1000)
    for key in range(200):
        memory.keep(key, key, 1)
        assert len(memory) <= 20
    memory = Memory(entries=10, room=1000)
    for key in range(200):
        memory.keep(key, key, 120)
        assert len(memory) <= 16
        assert memory.find(key) == key
        assert key < 20 or memory.find(key - 20) is None
    assert memory.keep("large", 7, 126) == 7
    assert memory.find("large") is None


def test_memory__forgets_what_has_not_been_asked_for() -> None:
    memory: Memory[int] = Memory(entries=10)
    for key in range(100):
        memory.keep(key, key, 1)
        if key % 5 == 0:
            assert memory.find(0) == 0
    assert memory.find(0) == 0
    assert memory.find(1) is None


def test_memory__gives_threads_one_value_each() -> None:
    memory: Memory[object] = Memory(entries=64)

    def work(seed: int) -> bool:
        rng = Random(seed)
        right = True
        for _ in range(5000):
            key = rng.randrange(200)
            found = memory.find(key)
            if found is None:
                found = memory.keep(key, (key, object()), 1)
            right &= isinstance(found, tuple) and found[0] == key
        return right and len(memory) <= 128

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_admit__gives_the_same_policy_for_the_same_text() -> None:
    fields = Fields()
    for source in (TEXT, TEXT.encode()):
        policy = admit(source, fields)
        assert admit(source, fields) is policy
        assert admit("".join(TEXT) if isinstance(source, str) else bytes(bytearray(source)), fields) is policy
        assert admit_term(source, fields) is admit_term(source, fields)


def test_admit__keeps_apart_fields_versions_sorts_and_kinds() -> None:
    one, other = Fields({"x": {"sort": "Num"}}), Fields({"x": {"sort": "Bool"}})
    term = json.dumps(["field", "x"])
    assert admit_term(term, one).fields is one
    with pytest.raises(PolicyError, match="a Bool field"):
        admit_term(term, other)
    assert admit(TEXT, one) is not admit(TEXT, other)
    assert type(admit_term(TEXT, one)) is type(admit_term(TEXT, one, sort="Policy")) is Term
    assert type(admit(TEXT, one)) is Policy
    with pytest.raises(PolicyError, match="expected a Pred"):
        admit_term(TEXT, one, sort="Pred")
    old = json.dumps(POLICIES[V1])
    assert admit(old, one).version == admit(old, one, V1).version == V1
    with pytest.raises(PolicyError):
        admit(old, one, V2)
    top = '["top"]'
    assert [admit_term(top, one, version).version for version in (None, V1, V2, None)] == [V2, V1, V2, V2]


def test_admit__remembers_plain_text_only() -> None:
    fields = Fields()
    for source in (SMALL, hostile(str, TEXT), hostile(bytes, TEXT.encode()), TEXT + " " * 20_000):
        assert admit(source, fields) is not admit(source, fields)
    assert len(fields.memory) == 0
    assert admit(TEXT, {}) is not admit(TEXT, {})
    version: Any = hostile(str, V2)
    admit(TEXT, fields)
    with pytest.raises(PolicyError):
        admit(TEXT, fields, version)


def test_admit__remembers_no_refusal() -> None:
    fields = Fields()
    for source in ('["nope"]', b"\xff", "[", '["policy"]', '["top"]'):
        messages = set()
        for _ in range(3):
            with pytest.raises(PolicyError) as caught:
                admit(source, fields)
            messages.add(str(caught.value))
        assert len(messages) == 1
    assert len(fields.memory) == 0


def test_admit__remembers_so_much_and_no_more() -> None:
    fields = Fields()
    for at in range(6000):
        admit_term(f'["lit",{at}]', fields)
    assert 2048 <= len(fields.memory) <= 4096
    assert admit_term('["lit",5999]', fields) is admit_term('["lit",5999]', fields)
    wide = Fields()
    for at in range(600):
        admit_term(json.dumps(["and", *[["provider_eq", f"{at}-{one}-{'x' * 60}"] for one in range(100)]]), wide)
    assert 0 < len(wide.memory) < 200


def test_admit__what_is_taken_from_a_remembered_policy_leaves_it_alone() -> None:
    fields = Fields()
    text = json.dumps([*SMALL[:-1], ["always", {"action": "abort", "backoff_ms": [1]}]])
    policy = admit(text, fields)
    taken = policy.term
    taken[5][1]["backoff_ms"].append(2)
    taken[1][1] = "has_tee"
    again = admit(text, fields)
    assert again.term == json.loads(text)
    assert again.encoding == admit(json.loads(text), Fields()).encoding


def test_admit__gives_threads_the_same_remembered_policy() -> None:
    # 2^53 is an integer that texts may not write.
    texts = [text for text in map(json.dumps, generated(V2)[:60]) if "9007199254740992" not in text]
    fields = Fields(generate.FIELDS)
    with ThreadPoolExecutor(8) as pool:
        rounds = list(pool.map(lambda _: [admit(text, fields, V2) for text in texts], range(16)))
    for policies in zip(*rounds, strict=True):
        assert len({id(policy) for policy in policies}) == 1
    expected = [admit(json.loads(text), Fields(generate.FIELDS), V2).identity for text in texts]
    assert [policy.identity for policy in rounds[0]] == expected
