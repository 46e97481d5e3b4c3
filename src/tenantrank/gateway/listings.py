"""What a server offers a caller: the fields of policies, the catalog in short, and the models that can be had."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine import Engine
from tenantrank.gateway.auth import Caller
from tenantrank.gateway.body import Body
from tenantrank.gateway.dryruns import Serving
from tenantrank.gateway.options import ROUTES
from tenantrank.gateway.rules import rule_of
from tenantrank.gateway.views import finite, provenance_json
from tenantrank.policy.policy import Policy, admit
from tenantrank.policy.signature import Fields
from tenantrank.tenants import CompiledPolicy

_EVERYTHING = '["policy",["top"],["zero"],["ordered"],["id"],["always",{"action":"abort"}]]'


def fields(vocabulary: Fields) -> dict[str, Any]:
    """Give the vocabulary of policies: ``GET /x/fields``. A default that JSON lacks, an infinite one, is null."""
    return {
        "object": "list",
        "data": [
            {
                "name": field.name,
                "sort": field.sort,
                "default": finite(field.default) if field.sort == "Num" else field.default,
                "unit": field.unit,
                "description": field.description,
                "source": field.source,
                "coverage": field.coverage,
                "versions": list(field.versions),
            }
            for field in vocabulary.values()
        ],
        "tier_order": list(vocabulary.tier_order),
    }


def catalog(caller: Caller, serving: Serving) -> dict[str, Any]:
    """Give the catalog in short, as far as it is within the caller's envelope: ``GET /x/catalog``."""
    engines = {route: serving.engine_of(caller, route) for route in ROUTES}
    engine = engines["chat"]
    built = engine.catalog.built
    offers = {route: _offers(engine) for route, engine in engines.items()}
    within = np.union1d(*offers.values())
    return {
        "object": "tenantrank.catalog",
        **provenance_json(engine),
        "built": None if built is None else built.isoformat(),
        "rulebook_id": None if serving.rulebook is None else serving.rulebook.rulebook_id,
        "offers": {route: len(rows) for route, rows in offers.items()},
        "providers": _counts(engine, "provider_id", within),
        "families": _counts(engine, "model_family", within),
    }


def models(caller: Caller, serving: Serving) -> dict[str, Any]:
    """Give the model families that a caller can have, by its tenant's rule where it has one: ``GET /v1/models``.

    Raises
    ------
    Problem
        where the caller's tenant has no policy
    """
    policy = None if caller.tenant is None else rule_of(Body.read(b"{}"), caller, serving).policy
    found: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        engine = serving.engine_of(caller, route)
        families, names = engine.catalog.strings("model_family")
        providers, provider_names = engine.catalog.strings("provider_id")
        built = engine.catalog.built
        created = 0 if built is None else int(datetime(built.year, built.month, built.day, tzinfo=UTC).timestamp())
        rows = _offers(engine, policy)
        pairs = np.unique(families[rows].astype(np.int64) * len(provider_names) + providers[rows])
        for family, provider in (divmod(pair, len(provider_names)) for pair in pairs.tolist()):
            shown = found.setdefault(
                names[family],
                {
                    "id": names[family],
                    "object": "model",
                    "created": created,
                    "owned_by": "tenantrank",
                    "routes": [],
                    "providers": [],
                },
            )
            for key, entry in (("routes", route), ("providers", provider_names[provider])):
                if entry not in shown[key]:
                    shown[key].append(entry)
    return {"object": "list", "data": [found[name] for name in sorted(found)]}


def _offers(engine: Engine, policy: Policy | CompiledPolicy | None = None) -> NDArray[np.int32]:
    """Give the rows that pass a policy and the engine's envelope, or the envelope alone."""
    asked = policy.policy if isinstance(policy, CompiledPolicy) else policy
    ranked = engine.rank_rows([asked or admit(_EVERYTHING, engine.catalog.fields)], k=max(1, len(engine.catalog)))
    rows: NDArray[np.int32] = np.sort(ranked.rows[0, : int(ranked.ranked[0])])
    return rows


def _counts(engine: Engine, column: str, rows: NDArray[np.int32]) -> list[dict[str, Any]]:
    codes, names = engine.catalog.strings(column)
    found, counts = np.unique(codes[rows], return_counts=True)
    named = zip([names[code] for code in found.tolist()], counts.tolist(), strict=True)
    return [{"id": name, "offers": count} for name, count in sorted(named)]
