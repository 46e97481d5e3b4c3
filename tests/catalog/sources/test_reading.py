from __future__ import annotations

import importlib.metadata
from datetime import date
from pathlib import Path

import pytest

from tenantrank.catalog.sources import reading
from tenantrank.catalog.sources.reading import Where, read
from tenantrank.errors import CatalogError
from tests.catalog.sources.samples import wheel

DATA = ("thing/data.json",)


def test_where__splits_off_the_release_date() -> None:
    assert Where.parse("a/b.whl#2026-11-12") == Where("a/b.whl", date(2026, 11, 12))
    assert Where.parse("package") == Where("package", None)
    assert Where.parse(Path("a.json")).location == "a.json"
    assert Where.parse(Where("x")) == Where("x")


@pytest.mark.parametrize("text", ["", "#2026-01-01", "a.whl#yesterday"])
def test_where__refuses_what_is_no_location_or_no_date(text: str) -> None:
    with pytest.raises(CatalogError):
        Where.parse(text)


def test_read__finds_a_member_of_a_wheel_and_its_version(tmp_path: Path) -> None:
    file = wheel(tmp_path, "thing", "1.2.3", {"thing/data.json": "{}", "thing/other.json": "no"})
    document = read(Where(str(file)), "thing", DATA)
    assert document.members == (("thing/data.json", b"{}"),)
    assert document.origin == "thing@1.2.3"


def test_read__takes_a_file_as_the_member_itself(tmp_path: Path) -> None:
    (tmp_path / "any.json").write_text("[]")
    document = read(Where(str(tmp_path / "any.json")), "thing", DATA)
    assert document.members == (("any.json", b"[]"),)
    assert document.origin == "any.json"


@pytest.mark.parametrize("inside", [".", "thing"])
def test_read__finds_a_member_of_a_folder(tmp_path: Path, inside: str) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "data.json").write_text("1")
    assert read(Where(str(tmp_path / inside)), "thing", DATA).members[0][1] == b"1"


def test_read__asks_the_given_function_for_a_url() -> None:
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return b"body"

    document = read(Where("https://host.example/api.json"), "thing", DATA, fetch)
    assert (asked, document.members, document.origin) == (
        ["https://host.example/api.json"],
        (("api.json", b"body"),),
        "https://host.example/api.json",
    )


def test_read__refuses_a_url_without_a_function_and_reports_its_failure() -> None:
    with pytest.raises(CatalogError, match="not allowed"):
        read(Where("https://host.example/x"), "thing", DATA)

    def fails(url: str) -> bytes:
        raise OSError("no route")

    with pytest.raises(CatalogError, match="no route"):
        read(Where("https://host.example/x"), "thing", DATA, fails)


def test_read__reads_an_installed_package_without_importing_it() -> None:
    document = read(Where("package"), "pydantic", ("pydantic/version.py",))
    assert document.version == importlib.metadata.version("pydantic")
    assert b"VERSION" in document.members[0][1]


def test_read__names_the_extra_where_a_package_is_absent() -> None:
    with pytest.raises(CatalogError, match=r"pip install tenantrank\[sources\]"):
        read(Where("package"), "surely-not-installed-anywhere", DATA)


@pytest.mark.parametrize("name", ["absent.whl", "folder", "broken.whl", "empty.whl"])
def test_read__refuses_what_is_not_there_or_holds_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "broken.whl").write_bytes(b"PK\x03\x04 cut short")
    wheel(tmp_path, "empty", "1", {}).rename(tmp_path / "empty.whl")
    with pytest.raises(CatalogError):
        read(Where(str(tmp_path / name)), "thing", DATA)


def test_read__refuses_a_member_beyond_the_size_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = wheel(tmp_path, "thing", "1", {"thing/data.json": "x" * 100})
    (tmp_path / "plain.json").write_text("x" * 100)
    monkeypatch.setattr(reading, "MAX_BYTES", 99)
    for place in (str(file), str(tmp_path / "plain.json"), "https://h.example/x"):
        with pytest.raises(CatalogError, match="larger than"):
            read(Where(place), "thing", DATA, lambda url: b"x" * 100)
