"""The names that terms use, with and without a catalog."""

from tenantrank.policy.signature import V2, Fields
from tenantrank.tenants.vocabulary import Use, fault, inferred, uses

TERM = [
    "policy",
    ["and", ["is", "region_eu"], ["cmp", "bench", "ge", 0.5], ["min_tier", "gold"]],
    ["gate", ["is", "no_log"], ["field", "price_out"]],
    ["argmax"],
    ["when", ["is", "beta"], ["id"]],
    ["always", {"action": "abort"}],
]


def test_uses__finds_fields_and_tiers_in_reading_order():
    assert list(uses(TERM)) == [
        Use("region_eu", "Bool"),
        Use("bench", "Num"),
        Use("gold", "Tier"),
        Use("no_log", "Bool"),
        Use("price_out", "Num"),
        Use("beta", "Bool"),
    ]


def test_uses__passes_over_what_is_no_term():
    assert list(uses(["is", 5])) == list(uses(5)) == list(uses([])) == list(uses(["nonsense", ["is", "x"]])) == []


def test_inferred__declares_what_is_used_and_keeps_the_built_in():
    fields = inferred([*uses(TERM), Use("bench", "Bool"), Use("no_log", "Num"), Use("quality", "Num")])
    assert fields.sort_of("bench", V2) == "Num"
    assert fields.sort_of("region_eu", V2) == "Bool"
    assert fields.sort_of("no_log", V2) == "Bool"
    assert fields.sort_of("quality", V2) == "Num"
    assert fields.tier_order[-1] == "gold"
    assert len(fields.tier_order) == len(Fields().tier_order) + 1


def test_fault__names_what_the_vocabulary_lacks():
    fields = Fields({"bench": {"sort": "Num", "default": 0.0}})
    assert fault(Use("bench", "Num"), fields) is None
    assert fault(Use("partner", "Tier"), fields) is None
    assert fault(Use("bench", "Bool"), fields) == "field 'bench' is a Num field, and it is used as a Bool field"
    assert fault(Use("bemch", "Num"), fields) == "the catalog has no field 'bemch', did you mean 'bench'?"
    assert fault(Use("gold", "Tier"), fields) == "unknown tier 'gold', expected one of fallback, marketplace, partner"
