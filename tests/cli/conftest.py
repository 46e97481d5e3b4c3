"""The small world that the tests of the commands run in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import tenantrank as tr
from tenantrank.policy.builder import cheapest, f, is_, policy
from tests.cli.running import OFFERS, RULEBOOK, TENANTS


@pytest.fixture
def world(tmp_path: Path) -> Path:
    tr.Catalog.from_records(OFFERS).save(tmp_path / "catalog.json")
    (tmp_path / "rules.yaml").write_text(RULEBOOK)
    (tmp_path / "tenants.csv").write_text(TENANTS)
    (tmp_path / "policy.json").write_text(
        json.dumps(policy(is_("priced") & (f.price_out <= 12), cheapest("price_out")))
    )
    return tmp_path
