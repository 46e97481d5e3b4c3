"""Bytes of a public source, wherever they lie: an installed package, a wheel, a folder, a file or a URL.

A source is read, never imported or run: price tables inside Python packages are parsed as data. The network is a
function that the caller passes in; without one, a URL is refused.
"""

from __future__ import annotations

import importlib.metadata
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from tenantrank.errors import CatalogError

Fetch = Callable[[str], bytes]
"""Gives the body found at a URL, or raises `OSError`."""

PACKAGE = "package"
MAX_BYTES = 256 * 1024 * 1024
"""Largest member that is read; a larger one is refused rather than unpacked."""

_DIST_INFO = re.compile(r"(?P<name>[^/]+)-(?P<version>[^-/]+)\.dist-info/METADATA")


@dataclass(frozen=True, slots=True)
class Where:
    """Where a source lies, and the date on which its publisher released it.

    Attributes
    ----------
    location : ``"package"`` for the installed package, a path (wheel, zip, folder or file), or an ``http(s)://`` URL
    as_of : the release date where the caller knows it; a date stated inside the source wins over it
    """

    location: str
    as_of: date | None = None

    @classmethod
    def parse(cls, text: str | Path | Where) -> Where:
        """Read ``LOCATION`` or ``LOCATION#YYYY-MM-DD``.

        Raises
        ------
        CatalogError
            for an empty location, or a part after ``#`` that is not a date
        """
        if isinstance(text, Where):
            return text
        location, _, stamp = str(text).partition("#")
        if not location:
            raise CatalogError("a source needs a location: 'package', a path or a URL")
        try:
            return cls(location, date.fromisoformat(stamp) if stamp else None)
        except ValueError:
            raise CatalogError(f"source {location}: {stamp!r} is not a date (YYYY-MM-DD)") from None

    @property
    def is_url(self) -> bool:
        """Whether the location is a URL."""
        return self.location.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Document:
    """The members that were found, and what they belong to.

    Attributes
    ----------
    members : (path inside the package, content) in the order of the package's own listing
    package : name of the package, or of the file or URL where there is no package around it
    version : version of the package, or ``None``
    """

    members: tuple[tuple[str, bytes], ...]
    package: str
    version: str | None

    @property
    def origin(self) -> str:
        """Name and version in one word, such as ``litellm@1.109.1``."""
        return f"{self.package}@{self.version}" if self.version else self.package


def read(where: Where, package: str, patterns: Sequence[str], fetch: Fetch | None = None) -> Document:
    """Read the members of a source whose path ends with one of the patterns.

    Parameters
    ----------
    where
        the location; a plain file or a URL is taken as the member itself, whatever its name
    package
        name of the distribution that holds the source, for ``"package"``
    patterns
        path endings inside the package, such as ``"genai_prices/data.py"``; ``*`` stands for one path segment
    fetch
        reads a URL

    Raises
    ------
    CatalogError
        where nothing is there, nothing matches, or the package is not installed
    """
    if where.location == PACKAGE:
        return _from_installed(package, patterns)
    if where.is_url:
        return _from_url(where.location, fetch)
    path = Path(where.location)
    if path.is_dir():
        return _from_folder(path, patterns)
    if not path.is_file():
        raise CatalogError(f"source {package}: there is no file or folder {path}")
    if path.suffix in (".whl", ".zip"):
        return _from_archive(path, patterns)
    if path.stat().st_size > MAX_BYTES:
        raise CatalogError(f"source {package}: {path} is larger than {MAX_BYTES} bytes")
    return Document(((path.name, path.read_bytes()),), path.name, None)


def _from_installed(package: str, patterns: Sequence[str]) -> Document:
    try:
        installed = importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        raise CatalogError(
            f"source {package}: the package is not installed; run pip install tenantrank[sources], "
            "or name a wheel, a file or a URL"
        ) from None
    found = [
        (str(entry), Path(str(installed.locate_file(entry))).read_bytes())
        for entry in installed.files or ()
        if _matches(str(entry), patterns)
    ]
    return _document(found, package, installed.version, package, patterns)


def _from_url(url: str, fetch: Fetch | None) -> Document:
    if fetch is None:
        raise CatalogError(f"source {url}: reading a URL is not allowed here")
    try:
        content = fetch(url)
    except OSError as error:
        raise CatalogError(f"source {url}: {error}") from error
    if len(content) > MAX_BYTES:
        raise CatalogError(f"source {url}: larger than {MAX_BYTES} bytes")
    return Document(((PurePosixPath(url).name, content),), url, None)


def _from_folder(folder: Path, patterns: Sequence[str]) -> Document:
    found, name, version = [], folder.name, None
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).as_posix()
        stated = _DIST_INFO.fullmatch(inside)
        if stated:
            name, version = stated["name"].replace("_", "-"), stated["version"]
        # A folder may be the package itself or what holds it.
        if path.is_file() and (_matches(inside, patterns) or _matches(f"{folder.name}/{inside}", patterns)):
            found.append((inside, path.read_bytes()))
    return _document(found, name, version, str(folder), patterns)


def _from_archive(path: Path, patterns: Sequence[str]) -> Document:
    found, name, version = [], path.name, None
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                stated = _DIST_INFO.fullmatch(entry.filename)
                if stated:
                    name, version = stated["name"].replace("_", "-"), stated["version"]
                if _matches(entry.filename, patterns):
                    if entry.file_size > MAX_BYTES:
                        raise CatalogError(f"source {path}: {entry.filename} is larger than {MAX_BYTES} bytes")
                    found.append((entry.filename, archive.read(entry)))
    except (zipfile.BadZipFile, EOFError) as error:
        raise CatalogError(f"source {path}: not a readable archive ({error})") from error
    return _document(found, name, version, str(path), patterns)


def _document(
    found: list[tuple[str, bytes]], name: str, version: str | None, place: str, patterns: Sequence[str]
) -> Document:
    if not found:
        raise CatalogError(f"source {place}: holds none of {', '.join(patterns)}")
    return Document(tuple(found), name, version)


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(PurePosixPath(path).match(pattern) for pattern in patterns)
