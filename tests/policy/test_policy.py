"""Admitted policies: one answer for value, text and bytes, from any stack, whatever the source is."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import CatalogError, PolicyError
from tenantrank.policy import policy as module
from tenantrank.policy.policy import Policy, Term, admit, admit_term
from tenantrank.policy.signature import V1, V2, VERSIONS, Fields, Version
from tests.policy.samples import ALWAYS, FIELDS, OPS, POLICIES, generated, refusal, sample, subterms
from tests.policy.values import hostile
from tests.reference import generate, language
from tests.reference.signature import SIGNATURES

SMALL = ["policy", ["is", "no_log"], ["field", "tok_s"], ["argmax"], ["id"], ALWAYS]


@pytest.mark.parametrize("version", VERSIONS)
def test_admit__equals_the_reference_on_generated_policies(version: Version) -> None:
    for term in generated(version):
        policy = admit(term, FIELDS, version)
        expected = language.encode(term, version)
        assert policy.encoding == expected
        assert policy.fingerprint == language.fingerprint(expected)
        assert policy.identity == language.identity(expected)
        assert policy.term == language.normal_form(term, version)
        assert (policy.version, policy.sort) == (version, "Policy")
        assert admit(policy.term, FIELDS, version) == policy


@pytest.mark.parametrize("version", VERSIONS)
def test_admit_term__equals_the_reference_on_terms_of_every_sort(version: Version) -> None:
    for policy in generated(version)[:40]:
        for part in subterms(policy, version):
            term = admit_term(part, FIELDS, version)
            assert term.encoding == language.encode(part, version)
            assert term.sort == SIGNATURES[version][part[0]][0]


@pytest.mark.parametrize("version", VERSIONS)
def test_admit__is_the_same_for_a_value_and_its_texts(version: Version) -> None:
    for term in generated(version)[:40]:
        policy = admit(term, FIELDS, version)
        if "9007199254740992" in json.dumps(term):  # 2^53, which texts may not write as an integer
            continue
        for text in (json.dumps(term), json.dumps(term, ensure_ascii=False, indent=1), "\n" + json.dumps(term) + " \t"):
            assert admit(text, FIELDS, version) == admit(text.encode(), FIELDS, version) == policy


@pytest.mark.parametrize(("op", "version"), OPS)
def test_admit_term__reads_the_version_from_the_policy_alone(op: str, version: Version) -> None:
    term = sample(op, version)
    if op == "policy":
        assert admit_term(term, FIELDS).version == version
    elif op in SIGNATURES[V2]:
        assert admit_term(term, FIELDS).version == V2
    else:
        refusal(term)


def test_admit__takes_a_policy_of_seven_elements_for_the_old_version() -> None:
    for version, term in POLICIES.items():
        for source in (term, json.dumps(term), json.dumps(term).encode()):
            assert admit(source, FIELDS).version == version
            assert admit(source, FIELDS, version).version == version
            (other,) = {*VERSIONS} - {version}
            error = refusal(source, other)
            assert error.path == "$"
            assert error.reason.startswith("policy takes ")


def test_admit__refuses_other_sorts_and_admit_term_takes_any_or_the_one_given() -> None:
    with pytest.raises(PolicyError, match=r"at \$: expected a Policy, got top, a Pred"):
        admit(["top"], FIELDS)
    assert admit_term(["top"], FIELDS).sort == "Pred"
    assert admit_term(["top"], FIELDS, sort="Pred").sort == "Pred"
    with pytest.raises(PolicyError, match="expected a Scorer"):
        admit_term('["top"]', FIELDS, sort="Scorer")
    assert type(admit_term(SMALL, FIELDS)) is Term
    assert type(admit(SMALL, FIELDS)) is Policy


@pytest.mark.parametrize("sort", [5, ["Pred"], {}, b"Pred", Term])
def test_admit_term__refuses_a_sort_that_is_no_name(sort: Any) -> None:
    with pytest.raises(PolicyError, match="a sort is a name such as Pred, got "):
        admit_term(["top"], FIELDS, sort=sort)


def test_admit__takes_declarations_in_place_of_a_catalogs_fields() -> None:
    term = ["policy", ["cmp", "bench", "ge", 1], *SMALL[2:]]
    assert admit(term, {"bench": {"sort": "Num"}}).encoding == admit(term, Fields({"bench": {"sort": "Num"}})).encoding
    with pytest.raises(PolicyError, match="undeclared field 'bench'"):
        admit(term, {})
    wrong: Any
    for wrong in (None, [], "fields", 1):
        with pytest.raises(CatalogError, match="fields must be"):
            admit(term, wrong)


def test_admit__refuses_an_unknown_version() -> None:
    words = ["", "v2", "sigma-pol/v3", "SIGMA-POL/V2", "x\ny" * 1000, "\ud800"]
    others = [2, True, 0.0, b"sigma-pol/v2", [], {}, hostile(object), hostile(str, "sigma-pol/v2"), Policy]
    for version in (*words, *others):
        with pytest.raises(PolicyError) as caught:
            admit(SMALL, FIELDS, version)
        assert caught.value.path == "$"
        assert caught.value.reason.startswith("unknown version")
        assert caught.value.reason.endswith("expected one of sigma-pol/v1, sigma-pol/v2")
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300


BAD_SOURCES: list[Any] = [
    None,
    True,
    1,
    1.5,
    (),
    {},
    [],
    object(),
    tuple(SMALL),
    bytearray(b"[]"),
    memoryview(b"[]"),
    iter(SMALL),
    Policy,
    hostile(object),
    hostile(list, SMALL),
    hostile(str, "[]"),
    hostile(str, "["),
    hostile(bytes, b"[]"),
    hostile(bytes, b"\xff"),
    "",
    "null",
    '"policy"',
    "\ud800",
    b"",
    b"\xff",
    "[" * 10**6,
    b'{"a":' * 10**5,
    "1" * 10**6,
    "[" + "9" * 10**5 + "]",
    '["not",' * 70 + '["top"]' + "]" * 70,
]


def test_admit__refuses_every_other_source() -> None:
    for source in BAD_SOURCES:
        for version in (None, V1, V2):
            refusal(source, version)
            with pytest.raises(PolicyError):
                admit(source, FIELDS, version)


def test_admit__takes_subclasses_of_text_by_their_content() -> None:
    text = json.dumps(SMALL)
    assert admit(hostile(str, text), FIELDS) == admit(hostile(bytes, text.encode()), FIELDS) == admit(SMALL, FIELDS)


@given(st.binary(max_size=40), st.sampled_from([None, *VERSIONS]))
def test_admit__random_bytes_are_refused(source: bytes, version: Version | None) -> None:
    refusal(source, version)


_PIECES = st.sampled_from(
    ['"', "[", "]", "{", "}", ",", ":", "\\", "\\u0061", "0", "-", "9" * 20, "1e9", "1e999", "NaN", "Infinity", "true",
     "null", '["top"]', '"action"', '"a":1,', "\x00", "\ud800", "é", "\u2028", " ", "and", "zero"]
)  # fmt: skip


@given(st.integers(0, 99), st.sampled_from(VERSIONS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), _PIECES)))
def test_admit__text_cut_and_mended_is_admitted_as_the_reference_or_refused(
    number: int, version: Version, cuts: list[tuple[float, int, str]]
) -> None:
    text = json.dumps(generated(version)[number])
    for where, length, piece in cuts:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    try:
        policy = admit(text, FIELDS, version)
    except PolicyError as refused:
        message = str(refused)
    else:
        message = "admitted"
        assert policy.encoding == language.encode(json.loads(text), version)
    assert message.isprintable()


@pytest.mark.parametrize("version", VERSIONS)
def test_admit__spoiled_text_answers_as_the_reference(version: Version) -> None:
    rng = Random(8)
    for term in generated(version) * 2:
        spoiled = generate.spoiled(rng, term)
        text = json.dumps(spoiled).replace("9007199254740992", "9007199254740991")
        expected = language.sort_of(json.loads(text), generate.FIELDS, version=version)
        if expected is None:
            refusal(text, version)
        else:
            assert admit_term(text, FIELDS, version).sort == expected


def deep_not(levels: int) -> list[Any]:
    term: list[Any] = ["is", "no_log"]
    for _ in range(levels - 1):
        term = ["not", term]
    return term


def deepest(fill: int) -> list[Any]:
    term: list[Any] = ["lit", fill]
    for _ in range(63):
        term = ["neg", term]
    return term


STACK_SOURCES: dict[str, Any] = {
    "shallow value": ["top"],
    "deepest value": deepest(1),
    "deepest text": json.dumps(deepest(2)),
    "deepest bytes": json.dumps(deepest(3)).encode(),
    "deep and refused": deep_not(65),
    "deep text and refused": json.dumps(deep_not(65)),
    "bottomless text": "[" * 100_000,
    "malformed": '["and", ["top"',
    "duplicate": '["always", {"action": "abort", "action": "abort"}]',
    "wrong type": ["and", ["top"], 3],
}


def answer(source: Any, fields: Fields) -> str:
    try:
        return admit_term(source, fields).identity
    except PolicyError as error:
        return str(error)


def with_room_for(frames: int, call: Callable[[], str]) -> str:
    """The result of a call made where the stack has room for so many further frames and no more."""

    def available(found: int) -> int:
        try:
            return available(found + 1)
        except RecursionError:
            return found

    def descend(levels: int) -> str:
        return call() if levels <= 0 else descend(levels - 1)

    return descend(available(0) - frames)


@pytest.mark.parametrize("name", STACK_SOURCES)
def test_admit__gives_the_same_answer_from_any_stack(name: str) -> None:
    source = STACK_SOURCES[name]
    expected = answer(source, FIELDS)
    for room in (*range(12, 260, 3), 400, 600):
        fields = Fields(generate.FIELDS)  # that remember nothing
        for _ in range(2):
            assert with_room_for(room, lambda: answer(source, fields)) == expected  # noqa: B023


@pytest.mark.parametrize("name", STACK_SOURCES)
def test_admit__never_mistakes_an_exhausted_stack_for_a_fault_of_the_policy(name: str) -> None:
    source = STACK_SOURCES[name]
    expected = answer(source, FIELDS)
    for room in range(3, 12):
        fields = Fields(generate.FIELDS)
        try:
            found = with_room_for(room, lambda: answer(source, fields))  # noqa: B023
        except RecursionError:
            found = expected
        assert found == expected


def test_policy__names_its_parts() -> None:
    for version in VERSIONS:
        for term in generated(version)[:30]:
            policy = admit(term, FIELDS, version)
            parts = [policy.filter, policy.scorer, policy.selector, policy.transform, policy.failure_plan]
            assert [part.term() for part in parts] == policy.term[-5:]
            clauses = policy.term[-5][1:] if policy.term[-5][0] == "and" else [policy.term[-5]]
            assert [clause.term() for clause in policy.clauses] == clauses


def test_policy__shares_nothing_with_its_source_or_with_the_terms_it_gives() -> None:
    source: list[Any] = [*copy.deepcopy(SMALL[:-1]), ["always", {"action": "abort", "backoff_ms": [1]}]]
    policy = admit(source, FIELDS)
    before, encoding = policy.term, policy.encoding
    source[1][1] = "has_tee"
    source[5][1]["backoff_ms"].append(2)
    source.clear()
    taken = policy.term
    taken[5][1]["backoff_ms"].append(3)
    taken[5][1]["action"] = "retry_same"
    taken[1][1] = "has_tee"
    assert policy.term == before
    assert policy.encoding == encoding
    assert admit(policy.term, FIELDS).identity == policy.identity


def test_policy__equality_is_that_of_encoding_with_version() -> None:
    one = admit(SMALL, FIELDS)
    other = admit(["policy", ["and", ["top"], SMALL[1]], *SMALL[2:]], {})
    assert one == other
    assert hash(one) == hash(other)
    assert one != admit(["policy", ["top"], *SMALL[2:]], FIELDS)
    assert one != one.encoding
    assert admit_term(["top"], FIELDS, V1) != admit_term(["top"], FIELDS, V2)
    assert len({one, other, admit(json.dumps(SMALL), FIELDS)}) == 1


def test_policy__cannot_be_changed_and_shows_itself_briefly() -> None:
    policy = admit(SMALL, FIELDS)
    with pytest.raises(AttributeError):
        policy.version = V1  # type: ignore[misc]
    assert repr(policy) == "<Policy " + policy.encoding[:97] + "…>"
    assert repr(admit_term(["top"], FIELDS)) == "<Term sigma-pol/v2:(top)>"


def test_policy__survives_pickling_and_copying_at_the_deepest() -> None:
    policy = admit(["policy", deep_not(63), deepest(4)[1][1], *SMALL[3:]], FIELDS)
    policy.identity  # noqa: B018 - worked out before, so that it travels too
    fresh = admit(SMALL, FIELDS)
    for original in (policy, fresh):
        for again in (pickle.loads(pickle.dumps(original)), copy.copy(original), copy.deepcopy(original)):
            assert type(again) is Policy
            assert again == original
            assert (again.identity, again.fingerprint, again.term) == (
                original.identity,
                original.fingerprint,
                original.term,
            )
            assert again.fields.tier_order == original.fields.tier_order


def test_policy_error__of_admission_survives_pickling() -> None:
    error = refusal(["and", ["nope"]])
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.reason, str(again)) == (error.path, error.reason, str(error))
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_admit__gives_threads_the_same_policy() -> None:
    terms = generated(V2)[:40]
    expected = [admit(term, FIELDS).identity for term in terms]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda term: admit(term, FIELDS).identity, terms * 4))
    assert found == expected * 4


@pytest.mark.parametrize(
    ("name", "answered"),
    [("edges-v1", 192), ("edges-v2", 201), ("random-v1", 800), ("random-v2", 3000)],
)
def test_admit_term__answers_published_vectors(conformance_folder: Path, name: str, answered: int) -> None:
    with gzip.open(conformance_folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        world, *cases = map(json.loads, lines)
    fields = Fields(world["fields"], world["tier_order"])
    for case in cases:
        if case["kind"] == "admission" and case["sort"] is None:
            with pytest.raises(PolicyError):
                admit_term(case["term"], fields, world["version"])
            continue
        term = admit_term(case["term"], fields, world["version"])
        assert term.sort == case.get("sort", term.sort)
        if "encoding" in case:
            found = (term.encoding, term.fingerprint, term.identity)
            assert found == (case["encoding"], case["fingerprint"], case["sha256"])
    assert len(cases) == answered


def mangled(rng: Random, text: str) -> str:
    """A text that is no longer what it was in one place, and mostly no policy."""
    literals = list(re.finditer(r"-?\d[\d.e+-]*", text))
    strings = list(re.finditer(r'"[^"]*"|$', text))
    kind = rng.randrange(7)
    if kind == 0 and literals:
        at = rng.choice(literals)
        new = rng.choice(
            ["1e999", "-1e999", "NaN", "Infinity", "9007199254740992", "9" * 5000, "01", "-0", "1E2", "2e-999"]
        )
    elif kind == 1:
        at = rng.choice(strings)
        new = rng.choice(['"\\ud800"', '"\\u0041"', '"a\nb"', '"\ud800"', '"\\u0000"', "'a'", '""', "null"])
    elif kind == 2:
        return text.replace('{"action":', '{"action": "abort", "action":')
    elif kind == 3:
        return rng.choice([" ", "\n", "\ufeff", "[", "x"]) + text
    elif kind == 4:
        return text + rng.choice([" ", "\r\n", "]", "\u00a0", ","])
    elif kind == 5:
        return text[: rng.randrange(len(text))]
    else:
        at = rng.choice(strings)
        depth = rng.choice([3, 60, 70, 2000])
        new = "[" * depth + at.group() + "]" * depth
    return text[: at.start()] + new + text[at.end() :]


def outcome(source: str | bytes, fields: Fields, version: Version) -> tuple[str, ...]:
    try:
        return (admit(source, fields, version).encoding,)
    except PolicyError as error:
        return str(error), error.path, error.reason


@pytest.mark.parametrize("version", VERSIONS)
def test_admit__text_read_at_once_is_what_parsing_and_checking_make_of_it(
    version: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = Random(29)
    texts: list[str | bytes] = []
    for term in generated(version)[:120]:
        for value in (term, generate.spoiled(rng, term)):
            text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
            texts += [text, *(mangled(rng, text) for _ in range(6))]
    texts += [text.encode("utf-8", "surrogatepass") for text in texts if isinstance(text, str)]
    quick, slow = Fields(generate.FIELDS), Fields(generate.FIELDS)
    found = [outcome(text, quick, version) for text in texts]
    monkeypatch.setattr(module, "_read_at_once", lambda *_: None)
    assert found == [outcome(text, slow, version) for text in texts]
    admitted = sum(len(one) == 1 for one in found)
    assert 200 < admitted < len(texts) - 200


@pytest.mark.parametrize(("op", "version"), OPS)
def test_admit__no_number_of_a_text_may_be_beyond_doubles(op: str, version: Version) -> None:
    text = json.dumps(sample(op, version))
    for literal in re.finditer(r"-?\d[\d.e+-]*", re.sub(r'"[^"]*"', lambda found: "_" * len(found.group()), text)):
        for beyond, reason in (
            ("1e999", "beyond the range"),
            ("-1e999", "beyond the range"),
            ("9007199254740992", "outside"),
        ):
            other = text[: literal.start()] + beyond + text[literal.end() :]
            with pytest.raises(PolicyError, match=reason):
                admit_term(other, FIELDS, version)
