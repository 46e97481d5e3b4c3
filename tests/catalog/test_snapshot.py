from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.build import build_catalog
from tenantrank.catalog.report import BuildResult
from tenantrank.catalog.snapshot import MAX_DROP, losses, write_snapshot
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import litellm_wheel

TODAY = date(2026, 11, 23)


def built(tmp_path: Path, offers: int, providers: int = 2, **values: Any) -> BuildResult:
    models = {
        f"router{i % providers}/m{i}": {
            "litellm_provider": f"router{i % providers}",
            "mode": "chat",
            "input_cost_per_token": 1e-06,
            "output_cost_per_token": 1e-06,
        }
        | values
        for i in range(offers)
    }
    return build_catalog({"litellm": litellm_wheel(tmp_path, models)}, as_of=TODAY)


def catalog_of(*source_sets: str) -> Catalog:
    return Catalog.from_records(
        [
            {"id": str(i), "provider_id": "x", "model_family": "m", "source_set": names}
            for i, names in enumerate(source_sets)
        ]
    )


def test_write_snapshot__writes_where_nothing_was(tmp_path: Path) -> None:
    result = built(tmp_path, 5)
    assert write_snapshot(result, tmp_path / "c.parquet") == []
    assert Catalog.load(tmp_path / "c.parquet").catalog_id == result.catalog.catalog_id


def test_write_snapshot__a_shrunken_catalog_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_snapshot(built(tmp_path, 100), path)
    before = path.read_bytes()
    with pytest.raises(CatalogError, match="offers: 100 before, 89 now"):
        write_snapshot(built(tmp_path, 89), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_write_snapshot__losing_just_the_share_allowed_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_snapshot(built(tmp_path, 100), path)
    write_snapshot(built(tmp_path, round(100 * (1 - MAX_DROP))), path)
    assert len(Catalog.load(path)) == 90


def test_write_snapshot__losses_can_be_allowed_and_are_told(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_snapshot(built(tmp_path, 100), path)
    told = write_snapshot(built(tmp_path, 20, providers=1), path, allow_losses=True)
    assert [line.split(":")[0] for line in told] == ["offers", "providers", "offers described by litellm"]
    assert len(Catalog.load(path)) == 20


def test_write_snapshot__prices_that_vanish_are_a_loss(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    write_snapshot(built(tmp_path, 10), path)
    with pytest.raises(CatalogError, match=r"coverage of price_in: 100\.0% before, 0\.0% now"):
        write_snapshot(built(tmp_path, 10, input_cost_per_token=None), path)


def test_write_snapshot__an_old_file_that_cannot_be_read_is_kept_unless_allowed(tmp_path: Path) -> None:
    path = tmp_path / "c.parquet"
    path.write_bytes(b"not a catalog")
    with pytest.raises(CatalogError, match="cannot be read"):
        write_snapshot(built(tmp_path, 3), path)
    assert path.read_bytes() == b"not a catalog"
    assert len(write_snapshot(built(tmp_path, 3), path, allow_losses=True)) == 1
    assert len(Catalog.load(path)) == 3


def test_losses__one_source_cut_short_shows_though_the_total_stands() -> None:
    old = catalog_of(*["a+b"] * 10)
    assert losses(old, catalog_of(*["a"] * 10)) == ["offers described by b: 10 before, 0 now"]
    assert losses(old, old) == []


def test_losses__growth_is_none() -> None:
    assert losses(catalog_of("a"), catalog_of("a", "a+b")) == []
