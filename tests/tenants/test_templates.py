"""Templates: what is left open changes no clause's place, and the texts are those of admission."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantrank.errors import TenantError
from tenantrank.policy.normal_form import clauses_of, normalize
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import V2, Fields
from tenantrank.tenants.compiling import Compiler
from tenantrank.tenants.composed import filled
from tenantrank.tenants.states import parse_state
from tenantrank.tenants.templates import Template, head_of, open_places
from tests.tenants.books import book

NAMES = ["x", "y", 'q"u (o) "ted', "z z"]
FIELDS = Fields(
    {name: {"sort": "Num", "default": 0} for name in NAMES} | {"region_eu": {"sort": "Bool", "default": False}}
)
OTHERS = ["neg", ["field", "x"]], ["top_k", 3, ["argmax"]], ["inject_seed", 'a "é'], ["always", {"action": "abort"}]
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
    st.integers(-(10**6), 10**6).map(float),
)


def template_of(clauses, open_):
    """The template of the conjunction of clauses, and those with one head open; and the heads in order."""
    nodes = clauses_of(normalize(["and", *clauses], V2))
    heads = sorted({head_of(normalize(clause, V2)) for clause in open_})
    places = open_places(nodes, heads)
    others = tuple(normalize(part, V2) for part in OTHERS)
    return (None if places is None else Template(nodes, others, FIELDS, places)), heads


@st.composite
def conjunctions(draw):
    """Clauses, of which some comparisons are open, and other bounds for these."""
    compared = draw(
        st.lists(
            st.tuples(st.sampled_from(NAMES), st.sampled_from(["le", "lt", "ge", "gt", "eq", "ne"]), NUMBERS),
            min_size=1,
            max_size=6,
        )
    )
    rest = draw(
        st.lists(
            st.sampled_from(
                [
                    ["is", "no_log"],
                    ["provider_eq", 'a "b'],
                    ["or", ["is", "region_eu"], ["cmp", "x", "le", 1]],
                    ["meets_req"],
                ]
            ),
            max_size=3,
        )
    )
    open_ = draw(st.lists(st.sampled_from(compared), min_size=1, unique_by=lambda clause: clause[:2]))
    others = [draw(NUMBERS) for _ in open_]
    return [["cmp", *clause] for clause in compared], rest, [["cmp", *clause] for clause in open_], others


@given(conjunctions())
def test_template__with_other_numbers_is_what_admission_makes_of_them(drawn):
    compared, rest, open_, others = drawn
    template, heads = template_of([*compared, *rest], open_)
    alike = [sum(other[:3] == clause[:3] for other in compared) for clause in open_]
    assert (template is None) == any(count > 1 for count in alike)
    if template is None:
        return
    assert len(template.places) == len(open_)
    for chosen in ([clause[3] for clause in open_], others, others, [clause[3] for clause in open_]):
        number_of = {head_of(normalize(clause, V2)): number for clause, number in zip(open_, chosen, strict=True)}
        numbers = tuple(number_of[head] for head in heads)
        replaced = [[*clause[:3], number_of.get(head_of(normalize(clause, V2)), clause[3])] for clause in compared]
        admitted = admit(["policy", ["and", *replaced, *rest], *OTHERS], FIELDS, V2)
        assert template.encoding(numbers) == admitted.encoding
        assert template.identity(numbers) == admitted.identity
        assert template.clauses_with(numbers) == admitted.clauses
        assert [clause.parameters for clause in template.clauses_with(numbers)] == [
            clause.parameters for clause in admitted.clauses
        ]
        policy = filled(template, numbers, {})
        for name in ("root", "encoding", "identity", "fingerprint", "clauses", "filter", "scorer", "term"):
            assert getattr(policy, name) == getattr(admitted, name), name


def test_template__parts_its_text_only_for_a_second_policy():
    template, _ = template_of([["cmp", "x", "le", 1], ["is", "no_log"]], [["cmp", "x", "le", 1]])
    own = template.numbers
    assert own == (1.0,)
    assert (template.encoding(own), template._pieces) == (template.encoding(own), None)
    identity = template.identity(own)
    assert template.identity((2.0,)) != identity
    assert template.identity(own) == identity
    assert len(template.pieces) == 2
    assert "2".join(template.pieces) == template.encoding((2.0,))


@pytest.mark.parametrize(
    ("heads", "found"),
    [
        (['(cmp "x" le '], None),
        (['(cmp "x" ge '], None),
        (['(cmp "y" le '], (2,)),
        ([], ()),
    ],
)
def test_open_places__are_those_of_the_one_clause_that_begins_so(heads, found):
    nodes = clauses_of(normalize(["and", ["cmp", "x", "le", 1], ["cmp", "x", "le", 2], ["cmp", "y", "le", 1]], V2))
    written = [head.replace(" le ", ' "le" ').replace(" ge ", ' "ge" ') for head in heads]
    assert open_places(nodes, written) == found


RULES = [
    {"id": "a", "floor": {"x": 0.25}, "ceiling": {"y": 2}},
    {"id": "b", "floor": {"x": {"tenant": "floor"}}, "ceiling": {"x": {"tenant": "floor"}, "y": {"tenant": "seats"}}},
    {"id": "c", "when": {"vip": True}, "floor": {"x": 0.5}, "preference": ["lit", {"tenant": "seats", "default": 1}]},
    {"id": "d", "when": {"plan": "enterprise"}, "require": [["provider_in", {"tenant": "approved"}]]},
    {"id": "e", "when": {"plan": "team"}, "require": [["cmp", "z", "eq", {"tenant": "floor"}], ["cmp", "y", "le", 3]]},
    {"id": "f", "when": {"region": "us"}, "require": [["cmp", "z", "gt", {"tenant": "seats"}], ["cmp", "z", "gt", 0]]},
]
STATES = st.fixed_dictionaries(
    {
        "plan": st.sampled_from(["free", "team", "enterprise"]),
        "region": st.sampled_from(["eu", "us"]),
        "vip": st.booleans(),
        "seats": st.one_of(st.none(), st.integers(-2, 4)),
        "floor": st.one_of(st.none(), st.floats(0, 1).map(lambda number: number + 0.0), st.just(1)),
        "approved": st.one_of(st.none(), st.sampled_from([["a"], ["b", "a"], [], ["c"]])),
    }
)
RULEBOOK = book(*RULES)


SHARED = Compiler(RULEBOOK._prepared)


def outcome(compiler, state):
    try:
        return compiler.compile(parse_state({"tenant_id": "t", **state}, RULEBOOK._document))
    except TenantError as error:
        return str(error)


@given(st.lists(STATES, min_size=2, max_size=6))
def test_compile__with_templates_is_what_each_tenant_alone_gets(states):
    """A compiler of its own has no template yet; the one that all share has those of every state before."""
    for state in states:
        alone, shared = outcome(Compiler(RULEBOOK._prepared), state), outcome(SHARED, state)
        assert type(alone) is type(shared)
        if isinstance(alone, str):
            assert alone == shared
            continue
        assert shared == alone
        admitted = admit(alone.policy.term, alone.policy.fields, V2)
        for name in ("encoding", "identity", "clauses", "fingerprint"):
            assert getattr(shared.policy, name) == getattr(admitted, name), name
        assert isinstance(admitted, Policy)
        clauses = shared.policy.clauses
        for some in (clauses, clauses[:1], clauses[1::2], ()):
            fresh = outcome(Compiler(RULEBOOK._prepared), state)  # asked before all reasons are known, and after
            wanted = {clause.encoding: alone.origins[clause.encoding] for clause in some}
            assert fresh.origins_of(some) == wanted
            _ = fresh.origins
            assert fresh.origins_of(some) == wanted
        assert str(shared.preference) == str(alone.preference)
