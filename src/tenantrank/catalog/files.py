"""Catalog files: the form of a path, reading one whole or not at all, writing one atomically, the bundled snapshot."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from tenantrank.catalog import arrow_files, text_files
from tenantrank.catalog.catalog import Catalog
from tenantrank.errors import CatalogError
from tenantrank.policy.admission import shown

_Reader = Callable[[bytes, date | None], Catalog]
_Writer = Callable[[Catalog], bytes]

FORMS: Mapping[str, tuple[_Reader, _Writer]] = MappingProxyType(
    {
        ".parquet": (arrow_files.read_parquet, arrow_files.write_parquet),
        ".arrow": (arrow_files.read_ipc, arrow_files.write_ipc),
        ".ipc": (arrow_files.read_ipc, arrow_files.write_ipc),
        ".feather": (arrow_files.read_ipc, arrow_files.write_ipc),
        ".json": (text_files.read_json, text_files.write_json),
        ".csv": (text_files.read_csv, text_files.write_csv),
    }
)
"""Reader and writer by suffix."""

_serial = itertools.count()


def read_catalog(path: str | os.PathLike[str], as_of: date | None = None) -> Catalog:
    """Read a catalog file by its suffix; see `Catalog.load`."""
    path = _path(path)
    read, _ = _form(path)
    try:
        # Read once: what is checked is what is used, whatever happens to the file meanwhile.
        content = path.read_bytes()
        if not content:
            raise CatalogError("the file is empty")
        return read(content, as_of)
    except OSError as error:
        reason = error.strerror or str(error)
    except RecursionError:
        reason = "nested too deeply"
    except (CatalogError, pa.ArrowException, ValueError, TypeError, KeyError, MemoryError, OverflowError) as error:
        reason = str(error) or type(error).__name__
    raise CatalogError(f"{path}: {one_line(reason)}")


def write_catalog(catalog: Catalog, path: str | os.PathLike[str]) -> None:
    """Write a catalog file by its suffix; see `Catalog.save`."""
    path = _path(path)
    _, write = _form(path)
    try:
        content = write(catalog)
    except (CatalogError, pa.ArrowException, ValueError, TypeError) as error:
        raise CatalogError(f"{path}: {one_line(str(error))}") from None
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{next(_serial)}.tmp")
    try:
        _write_whole(temporary, content)
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise CatalogError(f"{path}: {one_line(error.strerror or str(error))}") from None


def bundled_catalog(as_of: date | None = None) -> Catalog:
    """Read the snapshot that comes with the package; see `Catalog.bundled`."""
    return read_catalog(bundled_path("catalog.parquet"), as_of)


def bundled_path(name: str) -> Path:
    """Find a data file that comes with the package: inside an installed wheel, or in an editable one's source tree.

    Raises
    ------
    CatalogError
        where neither has it
    """
    package = Path(__file__).resolve().parents[1]
    places = (package / "_data" / name, package.parents[1] / "data" / name)
    for place in places:
        if place.is_file():
            return place
    raise CatalogError(f"no {name} comes with this installation: neither {places[0]} nor {places[1]} exists")


def one_line(text: str, limit: int = 300) -> str:
    """Give a message as one line of bounded length."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike) or "\0" in os.fspath(path):
        raise CatalogError(f"not the path of a file: {shown(path)}")
    return Path(path)


def _form(path: Path) -> tuple[_Reader, _Writer]:
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise CatalogError(f"{path}: suffix {path.suffix!r} is none of {', '.join(FORMS)}")
    return form


def _write_whole(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Not every system can open a folder; the rename itself is done by then.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
