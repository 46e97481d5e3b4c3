"""The customer base: the sample rulebook takes every row, and distinct tenants have distinct policies."""

from __future__ import annotations

import pytest

import tenantrank as tr
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.sample import sample_catalog, sample_rulebook, sample_tenants
from tenantrank.errors import CatalogError


@pytest.fixture(scope="module")
def rulebook() -> tr.Rulebook:
    return sample_rulebook().bind(sample_catalog().fields)


def test_tenants__are_the_same_for_a_seed() -> None:
    assert sample_tenants(300, 5).equals(sample_tenants(300, 5))
    assert not sample_tenants(300, 5).equals(sample_tenants(300, 6))
    assert sample_tenants(2, 5, first=40)["tenant_id"].to_pylist() == ["t0000040", "t0000041"]


def test_tenants__share_policies_in_the_sample_and_none_where_they_are_distinct(rulebook: tr.Rulebook) -> None:
    shared, own = (rulebook.compile_many(sample_tenants(1000, distinct=distinct)) for distinct in (False, True))

    assert shared.errors == own.errors == ()
    assert len(shared.by_identity()[0]) < 400
    assert len(own.by_identity()[0]) == 1000


def test_tenants__proportions_are_those_of_a_small_business() -> None:
    plans = sample_tenants(4000)["plan"].to_pylist()

    assert [round(plans.count(plan) / 4000, 1) for plan in ("free", "team", "enterprise", "premium")] == [
        0.5, 0.3, 0.1, 0.1,
    ]  # fmt: skip


def test_sample__files_that_are_not_here_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise CatalogError(f"no {name} comes with this package")

    monkeypatch.setattr("tenantrank.bench.sample.bundled_path", absent)

    with pytest.raises(AbsentError, match=r"^the sample is not here: no rules\.yaml comes with this package$"):
        sample_rulebook()
