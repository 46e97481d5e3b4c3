"""Policies put together from parts."""

import copy
import pickle

import pytest

from tenantrank.policy.normal_form import conjunction, normalize
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import V2, Fields
from tenantrank.tenants.composed import compose

FIELDS = Fields()
OTHERS = ["zero"], ["argmax"], ["id"], ["always", {"action": "abort"}]
FILTERS = [
    ["top"],
    ["bot"],
    ["is", "no_log"],
    ["or", ["is", "no_log"], ["provider_eq", "a"]],
    ["and", ["meets_req"], ["is", "no_log"], ["cmp", "price_out", "le", 3]],
]


def composed(term, known=None):
    others = tuple(normalize(part, V2) for part in OTHERS)
    return compose(normalize(term, V2), others, FIELDS, {} if known is None else known)


@pytest.mark.parametrize("term", FILTERS)
def test_compose__gives_what_admission_does(term):
    found, admitted = composed(term), admit(["policy", term, *OTHERS], FIELDS, V2)
    assert isinstance(found, Policy)
    assert (found == admitted, admitted == found, hash(found)) == (True, True, hash(admitted))
    for name in ("version", "sort", "root", "fields", "term", "encoding", "identity", "fingerprint", "clauses"):
        assert getattr(found, name) == getattr(admitted, name), name
    assert found.clause_texts == admitted.clause_texts == tuple(clause.encoding for clause in admitted.clauses)
    for name in ("filter", "scorer", "selector", "transform", "failure_plan"):
        assert getattr(found, name) == getattr(admitted, name), name
    assert repr(found) == repr(admitted)


def test_compose__takes_one_that_is_known():
    known = {}
    first = composed(FILTERS[2], known)
    assert composed(FILTERS[2], known) is first
    assert composed(FILTERS[3], known) is not first
    assert [policy.identity for policy in known.values()] == list(known)


@pytest.mark.parametrize("again", [lambda policy: pickle.loads(pickle.dumps(policy)), copy.copy, copy.deepcopy])
def test_compose__survives_a_pickle_and_a_copy(again):
    policy = composed(FILTERS[4])
    assert again(policy) == policy
    assert (again(policy).identity, again(policy).clauses) == (policy.identity, policy.clauses)


def test_compose__keeps_little():
    policy = composed(FILTERS[4])
    _ = policy.root, policy.encoding, policy.filter, policy.term, policy.clause_texts
    assert vars(policy) == {}
    assert (policy.template.clauses, policy.numbers) == (policy.clauses, ())
    assert policy.filter == conjunction(list(policy.clauses))
