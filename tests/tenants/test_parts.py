"""Parts of rules, filled for one tenant."""

import json

import pytest

from tenantrank.errors import TenantError
from tenantrank.policy.normal_form import normalize
from tenantrank.policy.signature import MAX_NODES, V2, Fields
from tenantrank.tenants.lowering import LIST_FORMS
from tenantrank.tenants.origin import Origin
from tenantrank.tenants.parts import BoundPart, ListPart, Part, measure

FIELDS = Fields({"bench": {"sort": "Num", "default": 0.0}, "region_only_eu": {"sort": "Bool", "default": False}})


def part(term, sort="Pred", tested=(), kind=Part):
    return kind("rule", "require[0]", sort, term, tested, FIELDS)


def test_place__has_an_origin_for_each_field_that_fills_it():
    term = ["and", ["provider_in", {"tenant": "names"}], ["cmp", "bench", "ge", {"tenant": "floor"}]]
    placed = part(term, tested=("plan",)).place({"names": ("a",), "floor": 0.5, "plan": "free"})
    assert placed.origins == (Origin("rule", "names", ("a",)), Origin("rule", "floor", 0.5))
    assert placed.node.encoding == '(and (cmp "bench" "ge" 0.5) (provider_eq "a"))'


def test_place__without_placeholders_has_an_origin_for_each_field_tested():
    placed = part(["is", "no_log"], tested=("plan", "vip")).place({"plan": "free", "vip": None})
    assert placed.origins == (Origin("rule", "plan", "free"), Origin("rule", "vip", None))
    assert part(["is", "no_log"]).place({}).origins == (Origin("rule"),)


def test_place__remembers_by_the_values_it_reads_alone():
    filled = part(["provider_eq", {"tenant": "name"}])
    first = filled.place({"name": "a", "other": 1})
    assert filled.place({"name": "a", "other": 2}) is first
    assert filled.place({"name": "b", "other": 1}).node.encoding == '(provider_eq "b")'


def test_place__forgets_past_its_limit(monkeypatch):
    monkeypatch.setattr("tenantrank.tenants.parts._MEMO_LIMIT", 2)
    filled = part(["provider_eq", {"tenant": "name"}])
    first = filled.place({"name": "a"})
    for name in "bcd":
        filled.place({"name": name})
    assert filled.place({"name": "a"}) is not first
    assert filled.place({"name": "a"}) == first


def test_place__is_an_error_of_the_tenant_where_a_value_is_missing_or_makes_no_term():
    with pytest.raises(
        TenantError, match=r"rule 'rule' needs field 'name' \(require\[0\]\), which the tenant lacks"
    ) as e:
        part(["provider_eq", {"tenant": "name"}]).place({"name": None})
    assert (e.value.field, e.value.rule) == ("name", "rule")
    with pytest.raises(TenantError, match=r"require\[0\] with k=0: expected an integer of at least 1, got 0") as e:
        part(["top_k", {"tenant": "k"}, ["argmax"]], "Selector").place({"k": 0})
    assert (e.value.field, e.value.rule) == ("k", "rule")


def test_place__works_out_origins_once():
    placed = part(["is", "no_log"], tested=("plan",)).place({"plan": "free"})
    assert placed.origins is placed.origins


def test_fixed__is_the_node_of_a_term_that_nothing_fills():
    node, size, depth = part(["not", ["is", "no_log"]], tested=("plan",)).fixed
    assert (node.encoding, size, depth) == ('(not (is "no_log"))', 2, 2)
    assert part(["provider_eq", {"tenant": "name"}]).fixed is None


@pytest.mark.parametrize("value", [0.0, -0.0, 1, 0.1, 1e-300, 3.5, 2.0**53, 1e300])
def test_bound__is_built_as_admission_would(value):
    term = ["cmp", "bench", "ge", {"tenant": "floor"}]
    assert part(term, kind=BoundPart).place({"floor": value}) == part(term).place({"floor": value})


def test_bound__is_an_error_of_the_tenant_where_its_value_is_missing():
    with pytest.raises(TenantError, match="needs field 'floor'"):
        part(["cmp", "bench", "ge", {"tenant": "floor"}], kind=BoundPart).place({"floor": None})


@pytest.mark.parametrize(
    ("term", "fits"),
    [
        (["cmp", "bench", "ge", {"tenant": "floor"}], True),
        (["cmp", "bench", "ge", 0.5], False),
        (["cmp", {"tenant": "field"}, "ge", {"tenant": "floor"}], False),
        (["provider_eq", {"tenant": "name"}], False),
    ],
)
def test_bound__fits_a_cmp_of_which_only_the_bound_is_filled(term, fits):
    assert BoundPart.fits(term) is fits


@pytest.mark.parametrize(
    ("term", "fits"),
    [
        (["provider_in", {"tenant": "names"}], True),
        (["region_only_in", {"tenant": "place"}], True),
        (["provider_in", ["a", {"tenant": "names"}]], False),
        (["provider_in", ["a"]], False),
        (["provider_eq", {"tenant": "names"}], False),
        (["not", ["provider_in", {"tenant": "names"}]], False),
    ],
)
def test_list__fits_a_form_whose_argument_is_filled(term, fits):
    assert ListPart.fits(term) is fits


@pytest.mark.parametrize("form", sorted(LIST_FORMS))
@pytest.mark.parametrize(
    "names", [(), ("partner",), ("b", "a"), ("a", "b", "a"), "partner", "eu", ("eu", "EU"), ("é", '"')]
)
def test_list__is_joined_as_admission_would(form, names):
    term = [form, {"tenant": "names"}]

    def outcome(kind):
        filled, state = part(term, kind=kind), {"names": names}
        try:
            return [filled.place(state), filled.place({"names": ("a", *names)}), filled.place(state)]
        except TenantError as error:
            return str(error), error.field, error.rule

    assert outcome(ListPart) == outcome(Part)


def test_list__holds_as_many_names_as_the_language_allows():
    term = ["provider_not_in", {"tenant": "names"}]
    # An `and`, and for each name a `not` and what it denies.
    most = tuple(f"p{place}" for place in range((MAX_NODES - 1) // 2))
    assert part(term, kind=ListPart).place({"names": most}) == part(term).place({"names": most})
    with pytest.raises(TenantError, match=f"more than {MAX_NODES} subterms"):
        part(term, kind=ListPart).place({"names": (*most, "one more")})


def test_list__is_an_error_of_the_tenant_where_it_is_missing():
    with pytest.raises(TenantError, match="needs field 'names'"):
        part(["provider_in", {"tenant": "names"}], kind=ListPart).place({"names": None})


def test_list__forgets_names_past_its_limit(monkeypatch):
    monkeypatch.setattr("tenantrank.tenants.parts._MEMO_LIMIT", 2)
    filled = part(["provider_in", {"tenant": "names"}], kind=ListPart)
    names = [("a", "b", "c"), ("c", "d"), ("a", "d")]
    found = [filled.place({"names": each}).node.encoding for each in names]
    assert found == [f"(or {' '.join(f'(provider_eq {json.dumps(name)})' for name in each)})" for each in names]


def test_place__names_fields_that_normalize_may_level():
    term = [
        "add",
        ["normalize", ["neg", ["field", "price_out"]]],
        ["normalize", ["field", "bench"]],
        ["field", "price_in"],
    ]
    assert part(term, "Scorer").place({}).leveled == {"price_out"}


def test_measure__counts_subterms_and_levels():
    node = normalize(["and", ["not", ["is", "no_log"]], ["meets_req"]], V2)
    assert measure(node) == (4, 3)
