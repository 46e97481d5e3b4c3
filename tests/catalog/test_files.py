"""Catalog files: every form comes back as it was, and no damaged file passes."""

import os
import random
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from tenantrank.catalog import Catalog, files
from tenantrank.errors import CatalogError

RECORDS = [
    {
        "id": f"p|m{row}",
        "provider_id": "p",
        "model_family": 'm, "quoted"\nname',
        "price_in": [0.1, None, float("inf"), 1e-300][row % 4],
        "context": [8000, None, 2**53 - 1][row % 3],
        "no_log": [True, None, False][row % 3],
        "regions": [["eu-west-1", "uk"], None][row % 2],
        "release_date": [None, "2026-02-03"][row % 2],
        "lab": ["", None, "ü,"][row % 3],
        "own": [1, None][row % 2],
        "vip": [True, False, None][row % 3],
        "label": ["1", "2", None][row % 3],
        "zdr": [True, None][row % 2],
        "capabilities": {"odd": row % 2 == 0},
    }
    for row in range(25)
]
FIELDS = {"zdr": {"sort": "Bool", "default": False}, "cost": {"sort": "Num", "default": float("inf"), "unit": "USD"}}
SUFFIXES = (".parquet", ".arrow", ".ipc", ".feather", ".json", ".csv")


def full():
    table = Catalog.from_records(RECORDS, FIELDS).table
    said = pa.table(
        {"offer_id": ["p|m3", "p|m1"], "column": ["no_log", "lab"], "source": ["s", "t"], "as_of": ["x", None]}
    )
    sources = {"s": {"what": "a source", "snapshot": "2026-11-12"}}
    return Catalog.from_table(
        table, FIELDS, ["low", "high"], built=date(2026, 11, 20), sources=sources, provenance=said
    )


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".ipc", ".feather", ".PARQUET"])
def test_save__and_load_keep_everything_in_arrow_forms(tmp_path, suffix):
    catalog, path = full(), tmp_path / f"offers{suffix}"
    catalog.save(path)
    again = Catalog.load(path, as_of=date(2026, 11, 23))
    assert again.table.equals(catalog.table)
    assert again.catalog_id == catalog.catalog_id
    assert again.metadata == catalog.metadata
    assert again.provenance.equals(catalog.provenance)
    assert again.fields == catalog.fields
    assert again.as_of == date(2026, 11, 23)


def test_save__and_load_keep_content_and_metadata_in_json(tmp_path):
    catalog, path = full(), tmp_path / "offers.json"
    catalog.save(path)
    again = Catalog.load(path)
    assert again.table.equals(catalog.table)
    assert again.catalog_id == catalog.catalog_id
    assert again.metadata == catalog.metadata
    assert again.provenance is None


def test_save__and_load_keep_the_offers_in_csv(tmp_path):
    catalog, path = full(), tmp_path / "offers.csv"
    catalog.save(path)
    again = Catalog.load(path)
    assert again.table.equals(catalog.table)
    assert again.catalog_id == Catalog.from_table(catalog.table, {"zdr": FIELDS["zdr"]}).catalog_id
    assert again.fields.tier_order == ("fallback", "marketplace", "partner")
    plain = Catalog.from_records([{k: v for k, v in record.items() if k != "zdr"} for record in RECORDS])
    plain.save(path)
    assert Catalog.load(path).catalog_id == plain.catalog_id


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save__and_load_keep_a_catalog_of_no_offers(tmp_path, suffix):
    path = tmp_path / f"none{suffix}"
    Catalog.from_records([]).save(path)
    assert len(Catalog.load(path)) == 0
    assert Catalog.load(path).catalog_id == Catalog.from_records([]).catalog_id


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_save__writes_the_same_bytes_again(tmp_path, suffix):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    full().save(first)
    full().save(second)
    assert first.read_bytes() == second.read_bytes()


def test_save__replaces_a_file_whole_and_leaves_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "offers.parquet"
    full().save(path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(CatalogError, match=r"offers\.parquet: No space left on device"):
        Catalog.from_records([]).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["offers.parquet"]


def test_save__refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(CatalogError, match=r"offers\.xlsx: suffix '\.xlsx' is none of \.parquet"):
        full().save(tmp_path / "offers.xlsx")
    with pytest.raises(CatalogError, match="No such file or directory"):
        full().save(tmp_path / "nowhere" / "offers.csv")
    listed = Catalog.from_records([RECORDS[0] | {"zdr": None, "regions": []}])
    with pytest.raises(CatalogError, match=r"offers\.csv: column 'regions'"):
        listed.save(tmp_path / "offers.csv")
    odd = Catalog.from_table(listed.table, sources={"s": {1, 2}})
    with pytest.raises(CatalogError, match=r"offers\.json: "):
        odd.save(tmp_path / "offers.json")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "content", [b"", b"\x00" * 64, b"error: 503", b'{"error": "not found"}\n', b"PAR1PAR1", b"\xff\xfe"]
)
def test_load__refuses_a_file_of_another_form(tmp_path, suffix, content):
    path = tmp_path / f"offers{suffix}"
    path.write_bytes(content)
    with pytest.raises(CatalogError) as caught:
        Catalog.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_load__refuses_what_is_not_a_file(tmp_path):
    with pytest.raises(CatalogError, match=r"gone\.json: No such file"):
        Catalog.load(tmp_path / "gone.json")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CatalogError, match=r"folder\.csv: Is a directory"):
        Catalog.load(tmp_path / "folder.csv")
    with pytest.raises(CatalogError, match="suffix ''"):
        Catalog.load(tmp_path / "offers")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_load__refuses_a_file_that_is_cut_short(tmp_path, suffix):
    path = tmp_path / f"offers{suffix}"
    Catalog.from_records(
        [
            {k: v for k, v in record.items() if k not in ("zdr", "model_family")} | {"model_family": "m"}
            for record in RECORDS
        ]
    ).save(path)
    content = path.read_bytes()
    rng = random.Random(7)
    for _ in range(60):
        cut = content[: rng.randrange(len(content) - 1)]
        if suffix == ".csv" and cut.endswith(b"\n"):
            continue
        path.write_bytes(cut)
        with pytest.raises(CatalogError):
            Catalog.load(path)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".json"])
def test_load__never_passes_a_damaged_file_as_another_catalog(tmp_path, suffix):
    catalog, path = full(), tmp_path / f"offers{suffix}"
    catalog.save(path)
    content = path.read_bytes()
    rng = random.Random(11)
    refused = 0
    for _ in range(150):
        damaged = bytearray(content)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert Catalog.load(path).catalog_id == catalog.catalog_id
        except CatalogError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("path", ["a\0b", "a\0b.parquet", 5, None])
def test_paths__that_no_file_can_have_are_refused(path):
    for use in (Catalog.load, full().save):
        with pytest.raises(CatalogError, match="not the path of a file"):
            use(path)


def test_bundled__is_found_beside_the_sources_of_an_editable_install(monkeypatch, tmp_path):
    root = tmp_path / "repository"
    (root / "data").mkdir(parents=True)
    full().save(root / "data" / "catalog.parquet")
    monkeypatch.setattr(files, "__file__", str(root / "src" / "tenantrank" / "catalog" / "files.py"))
    assert Catalog.bundled(as_of=date(2026, 11, 23)).catalog_id == full().catalog_id


def test_bundled__prefers_the_snapshot_inside_the_package(monkeypatch, tmp_path):
    package = tmp_path / "src" / "tenantrank"
    for folder in (package / "_data", tmp_path / "data"):
        folder.mkdir(parents=True)
    full().save(package / "_data" / "catalog.parquet")
    (tmp_path / "data" / "catalog.parquet").write_bytes(b"not a catalog")
    monkeypatch.setattr(files, "__file__", str(package / "catalog" / "files.py"))
    assert Catalog.bundled().catalog_id == full().catalog_id


def test_bundled__says_where_it_looked(monkeypatch, tmp_path):
    monkeypatch.setattr(files, "__file__", str(tmp_path / "a" / "b" / "c" / "files.py"))
    with pytest.raises(CatalogError, match=r"no catalog\.parquet comes with this installation") as caught:
        Catalog.bundled()
    assert str(Path("_data") / "catalog.parquet") in str(caught.value)
