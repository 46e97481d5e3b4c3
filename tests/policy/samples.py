"""Terms that the policy tests share, and what they ask of every refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import pytest

from tenantrank.errors import PolicyError
from tenantrank.policy.policy import admit_term
from tenantrank.policy.signature import V1, V2, VERSIONS, Fields, Version
from tests.policy.values import SECRET
from tests.reference import generate
from tests.reference.signature import SIGNATURES, TERM_SORTS, Term

FIELDS = Fields(generate.FIELDS)
ALWAYS: Term = ["always", {"action": "next_candidate"}]
POLICIES: dict[Version, Term] = {
    V1: ["policy", ["ev_zero"], ["top"], ["zero"], ["argmax"], ["id"], ALWAYS],
    V2: ["policy", ["top"], ["zero"], ["argmax"], ["id"], ALWAYS],
}

# For each kind of argument, one that any signature takes.
ARGUMENTS: dict[str, Any] = {
    "Pred": ["meets_req"],
    "Scorer": ["lit", 2],
    "Selector": ["ordered"],
    "Xform": ["inject_seed", "seed"],
    "FailPlan": ALWAYS,
    "Evidence": ["from_prov", "self"],
    "BoolField": "no_log",
    "NumField": "price_in",
    "Rel": "le",
    "Num": 2.5,
    "Count": 3,
    "Tier": "partner",
    "String": "word",
    "Scalar": "word",
    "Chain": [{"provider": "p", "model": "m"}],
    "Recipe": ["NFKC", {"noise": 0.5}],
    "Action": {"action": "retry_same", "attempts": 2, "backoff_ms": [1, 2]},
}


def slots_of(op: str, version: Version) -> tuple[str, ...]:
    """The kinds of an op's arguments; of a variadic one, three."""
    kinds = SIGNATURES[version][op][1]
    return (kinds[0][:-1],) * 3 if kinds and kinds[0].endswith("+") else kinds


def sample(op: str, version: Version) -> Term:
    """A small term of an op."""
    return [op, *(ARGUMENTS[kind] for kind in slots_of(op, version))]


OPS = [(op, version) for version in VERSIONS for op in SIGNATURES[version]]


@cache
def generated(version: Version, count: int = 150, size: int = 8) -> list[Term]:
    """Random policies of one version, always the same ones."""
    rng = Random(f"{version} {size}")
    words = generate.Vocabulary.of(generate.random_catalog(rng, 30), version)
    return [generate.random_term(rng, version, words, size) for _ in range(count)]


def subterms(term: Term, version: Version) -> Iterator[Term]:
    """A term and all its subterms."""
    yield term
    kinds = SIGNATURES[version][term[0]][1]
    kinds = (kinds[0][:-1],) * (len(term) - 1) if kinds and kinds[0].endswith("+") else kinds
    for kind, argument in zip(kinds, term[1:], strict=True):
        if kind in TERM_SORTS:
            yield from subterms(argument, version)


_STEP = re.compile(r"\.(?P<name>[A-Za-z0-9_-]+)|\[(?P<index>\d+)\]|\[(?P<quoted>'[^\n]*?'|\"[^\n]*?\")\]")


def follow(path: str, term: Any) -> Any:
    """The element of a JSON value that a path names; an op's name in it must be the one found there."""
    assert path.startswith("$"), path
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        assert step is not None, path
        at = step.end()
        if step["index"] is not None:
            term = term[int(step["index"])]
        elif step["quoted"] is not None:
            term = next(term[key] for key in term if ascii(key) == step["quoted"])
        elif isinstance(term, dict):
            term = term[step["name"]]
        else:
            assert term[0] == step["name"], path
    return term


def refusal(source: Any, version: Version | None = None, sort: str | None = None) -> PolicyError:
    """The error that a source is refused with, after a look at its form: one short printable line with a path."""
    with pytest.raises(PolicyError) as caught:
        admit_term(source, FIELDS, version, sort)
    error = caught.value
    assert type(error) is PolicyError
    assert str(error) == f"policy refused at {error.path}: {error.reason}"
    assert str(error).isprintable()
    assert 0 < len(error.reason) <= 250
    assert re.fullmatch(r"\$(\.[\w-]+|\[\d+\]|\[['\"].{0,60})*", error.path), error.path
    assert SECRET not in str(error)
    return error
