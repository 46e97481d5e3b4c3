"""Files of conformance vectors: the cases, and what a file declares for all of them.

A file is JSON (``{"version", "vectors": […]}``) or JSON lines, gzipped or not; the first line of the latter declares
``version``, ``fields``, ``tier_order`` and ``catalogs``.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from tenantrank.catalog import Catalog
from tenantrank.engine.engine import Engine
from tenantrank.errors import ConformanceError, TenantrankError
from tenantrank.policy.policy import Term, admit_term
from tenantrank.policy.signature import DEFAULT_TIER_ORDER, VERSIONS, Fields

_PUBLISHED_TOLERANCE = 1e-12
_NOT_ONE = "not a file of conformance vectors"


@dataclass
class World:
    """What a file declares for all its cases."""

    version: str
    fields: Mapping[str, Any]
    tier_order: list[str]
    catalogs: list[list[dict[str, Any]]]
    tolerance: float
    call_latency_ms: float = 0.0

    def __post_init__(self) -> None:
        self.vocabulary = Fields(self.fields, self.tier_order)
        self._engines: dict[int, Engine] = {}

    def engine(self, number: int, state: Any) -> Engine:
        """Give an engine over the catalog of that number, made once, under a state."""
        if isinstance(number, bool) or number not in range(len(self.catalogs)):
            raise ConformanceError(f"there is no catalog {number!r}")
        if number not in self._engines:
            self._engines[number] = self.engine_over(self.catalogs[number])
        return self._engines[number].with_health(state)

    def engine_over(self, offers: list[dict[str, Any]], state: Any = None) -> Engine:
        """Give an engine over offers that a case brings itself."""
        return Engine(Catalog.from_records(offers, self.fields, self.tier_order), state)

    def term(self, case: Mapping[str, Any], sort: str | None = None) -> Term:
        """Admit a case's term."""
        return admit_term(case["term"], self.vocabulary, self.version, sort)


def read_vectors(path: Path) -> tuple[World, list[dict[str, Any]]]:
    """Read a vector file.

    Returns
    -------
    what the file declares, and its cases, of which there is one at least; a case is an object, otherwise unchecked

    Raises
    ------
    ConformanceError
        for a file that cannot be read, is not one of vectors, or holds no case
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConformanceError(f"{path}: {error.strerror or error}") from None
    try:
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
        world, cases = _document(text) if path.name.removesuffix(".gz").endswith(".json") else _lines(text)
    except KeyError as error:
        raise ConformanceError(f"{path}: {_NOT_ONE} (it has no {error})") from None
    except RecursionError:
        raise ConformanceError(f"{path}: {_NOT_ONE} (nested too deeply)") from None
    except (ValueError, TypeError, AttributeError, EOFError, OSError, zlib.error, TenantrankError) as error:
        raise ConformanceError(f"{path}: {_NOT_ONE} ({error})") from None
    return world, cases


def _document(text: str) -> tuple[World, list[dict[str, Any]]]:
    document = _mapping(_json(text), "the document")
    world = World(_version(document), {}, list(DEFAULT_TIER_ORDER), [], _PUBLISHED_TOLERANCE)
    return world, _cases(document["vectors"])


def _lines(text: str) -> tuple[World, list[dict[str, Any]]]:
    # By line feeds alone: a string may hold other characters that count as line ends.
    values = [_json(line) for line in text.split("\n") if line.strip()]
    if not values:
        raise ValueError("the file is empty")
    header = _mapping(values[0], "the first line")
    catalogs = _list(header.get("catalogs", []), "catalogs")
    fields, order = _mapping(header["fields"], "fields"), _list(header["tier_order"], "tier_order")
    world = World(_version(header), fields, order, catalogs, 0.0, float(header.get("call_latency_ms", 0.0)))
    return world, _cases(values[1:])


def _json(text: str) -> Any:
    # Not the reader of documents: cases hold integers on purpose that a document may not.
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_constant)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError(f"a key is given twice among {', '.join(repr(key) for key in record)[:200]}")
    return record


def _constant(literal: str) -> NoReturn:
    raise ValueError(f"{literal} is not a JSON number")


def _version(header: Mapping[str, Any]) -> str:
    version = header["version"]
    if not isinstance(version, str) or version not in VERSIONS:
        raise ValueError(f"version is none of {', '.join(VERSIONS)}")
    return version


def _cases(values: Any) -> list[dict[str, Any]]:
    cases = [_mapping(value, f"case {number}") for number, value in enumerate(_list(values, "vectors"))]
    if not cases:
        raise ValueError("it holds no case")
    return cases


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is not an object")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list")
    return value
