"""Stencils: programs copied from a template's are those that lowering each policy gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tenantrank as tr
from tenantrank.catalog.health import Health
from tenantrank.engine import fleet as fleet_module
from tenantrank.engine.compiled import Compiled
from tenantrank.engine.envelope import Envelope
from tenantrank.engine.fingerprints import fingerprints_of
from tenantrank.engine.fleet import rank_fleet
from tenantrank.engine.index import CatalogIndex
from tenantrank.engine.programs import Programs
from tenantrank.engine.stencils import Stencils
from tenantrank.engine.view import View
from tenantrank.policy.signature import V2
from tenantrank.tenants.composed import ComposedPolicy
from tenantrank_kernels import opcodes as op
from tests.engine.samples import ABC

ROWS = 90
RULES: list[dict[str, Any]] = [
    {"id": "base", "require": [["not", ["is", "disabled"]]]},
    {"id": "floor", "when": {"floor": {"absent": False}}, "floor": {"bench": {"tenant": "floor"}}},
    {"id": "top", "when": {"top": {"absent": False}}, "ceiling": {"price_out": {"tenant": "top"}, "price_in": 40}},
    {"id": "eq", "when": {"plan": "b"}, "require": [["cmp", "context", "ne", {"tenant": "seats"}]],
     "preference": ["add", ["scale", 0.5, ["normalize", ["field", "price_out"]]], ["normalize", ["field", "bench"]]]},
    {"id": "own", "when": {"plan": "c"}, "require": [["provider_in", {"tenant": "approved"}]],
     "selector": ["chain", [{"provider_id": "q", "model_family": "m"}]]},
]  # fmt: skip
RULEBOOK = tr.Rulebook.from_value(
    {
        "version": 1,
        "fields": {
            "plan": {"type": "enum", "values": ["a", "b", "c"]},
            "floor": {"type": "number", "optional": True},
            "top": {"type": "number", "optional": True},
            "seats": {"type": "integer"},
            "approved": {"type": "list"},
        },
        "defaults": {"preference": ["neg", ["field", "price_out"]]},
        "rules": RULES,
    }
)
ENVELOPES: list[Any] = [
    None,
    ["bot"],
    ["or", ["is", "region_eu"], ["provider_eq", "q"]],
    ["and", ["cmp", "price_out", "le", 2.5], ["cmp", "bench", "lt", 3]],
]


def tenants(rows: int = ROWS) -> pa.Table:
    rng = np.random.RandomState(3)
    return pa.table(
        {
            "tenant_id": [f"t{at}" for at in range(rows)],
            "plan": rng.choice(["a", "b", "c"], rows),
            "floor": pa.array(rng.choice([0.25, 0.5, 0.75], rows) * rng.random_sample(rows), mask=rng.rand(rows) < 0.5),
            "top": pa.array(rng.random_sample(rows) * 4, mask=rng.rand(rows) < 0.2),
            "seats": rng.randint(0, 9, rows),
            "approved": [[["p"], ["q", "r"], ["x"], []][at] for at in rng.randint(0, 4, rows)],
        }
    )


FLEET = RULEBOOK.bind(ABC.fields).compile_many(tenants())
POLICIES: Sequence[tr.Policy] = FLEET.by_identity()[0]


def compiled_of(envelope: Any) -> tuple[Compiled, View]:
    compiled = Compiled(CatalogIndex(ABC), Envelope(envelope, ABC))
    return compiled, View(compiled.index, Health(), V2)


def program_of(programs: Programs, at: int) -> tuple[list[int], list[float]]:
    """A program's code without where its numbers begin, and its numbers, which end where the next one's begin."""
    held = programs.held
    starts = sorted(held.starts[: held.programs].tolist())
    used = programs.nbytes - 8 * programs.count  # four a code, twelve a number
    firsts = sorted(int(held.code[start + op.NUMBERS]) for start in starts)
    first = int(held.code[at + op.NUMBERS])
    later = [other for other in firsts if other > first]
    numbers = held.numbers[first : later[0]] if later else held.numbers[first:]
    after = [other for other in starts if other > at]
    end = after[0] if after else (used - 12 * programs._numbers.used) // 4
    code = held.code[at:end].tolist()
    code[op.NUMBERS] = -1
    return code, numbers.tolist() if later else numbers[: programs._numbers.used - first].tolist()


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_starts__of_many_are_the_programs_of_each(envelope: Any) -> None:
    together, view = compiled_of(envelope)
    apart, other_view = compiled_of(envelope)
    programs, starts = together.starts([*POLICIES, *POLICIES[:7]], view)
    own, own_starts = together.apart(POLICIES, view, Stencils())
    assert programs.count == own.count == len(POLICIES)
    assert set(programs.at_of) == {policy.identity for policy in POLICIES}
    assert starts[-7:].tolist() == starts[:7].tolist()
    for at, policy in enumerate(POLICIES):
        alone, start = apart.program(tr.admit(policy.term, ABC.fields), other_view)
        wanted = program_of(alone, start)
        assert program_of(programs, int(starts[at])) == wanted
        assert program_of(own, int(own_starts[at])) == wanted
    assert programs.held.fields == own.held.fields == apart.programs[V2].held.fields
    for needs in ("bits", "vectors", "ends"):
        assert getattr(programs.held, needs) == getattr(own.held, needs) == getattr(apart.programs[V2].held, needs)


def test_of__has_none_where_the_envelope_bounds_the_same_field() -> None:
    policy = next(each for each in POLICIES if isinstance(each, ComposedPolicy) and len(each.numbers) == 2)
    for envelope, found in zip(ENVELOPES, (True, True, True, False), strict=True):
        compiled, view = compiled_of(envelope)
        stencils = Stencils()
        assert (stencils.of(policy, compiled._made, view) is not None) == found
        assert stencils.holds(policy.template) == found


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("slice_", [4, 7, 1000])
def test_rank_fleet__in_slices_is_compiling_and_ranking_each(
    envelope: Any, slice_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_SLICE", slice_)
    engine = tr.Engine(ABC, {"ema": {"q|m": {"price_out": 0.5}}}, envelope)
    remembered = engine._now.compiled.programs[V2].count
    rows = rank_fleet(engine, FLEET, 3).to_pylist()
    if slice_ < len(POLICIES):
        assert engine._now.compiled.programs[V2].count == remembered
    other = tr.Engine(ABC, {"ema": {"q|m": {"price_out": 0.5}}}, envelope)
    for at, row in enumerate(rows):
        compiled = FLEET.compiled(at)
        assert compiled is not None
        decision = other.rank(tr.admit(compiled.policy.term, ABC.fields), k=3)
        assert tuple(row["offer_ids"]) == decision.offer_ids
        assert np.array(row["scores"]).tobytes() == np.array(decision.scores).tobytes()
        assert row["survivors"] == decision.survivors
        assert (row["identity"], row["fingerprint"]) == (decision.policy.identity, decision.policy.fingerprint)
        assert row["rules"] == ", ".join(compiled.rules)
        assert row["ranked_by"] == str(compiled.preference)
        if decision.offer_ids:
            assert row["deciding"] is None
        elif not decision.survivors:
            assert row["deciding"] == "; ".join(other.nearest_miss(compiled))
        else:
            assert row["deciding"].startswith("the selector keeps none")


def test_fingerprints_of__policies_of_templates_are_those_of_each() -> None:
    table = pa.concat_tables([tenants(400), tenants(400).set_column(3, "top", pa.array(np.arange(400) / 7))])
    table = table.set_column(0, "tenant_id", pa.array([f"t{at}" for at in range(800)]))
    policies = RULEBOOK.compile_many(table).by_identity()[0]
    assert len({len(policy.numbers) for policy in policies if isinstance(policy, ComposedPolicy)}) > 2
    assert fingerprints_of(policies) == [tr.admit(each.term, each.fields).fingerprint for each in policies]
