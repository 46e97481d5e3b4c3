"""Importer of the price rules inside the genai-prices package (``genai_prices/data.py``, MIT).

The package matches model names by rules, per provider, so it prices offers that other sources list rather than listing
offers. Its data file is Python code made of literals and constructors; it is parsed into plain dicts and never run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from tenantrank.catalog.sources.identity import provider_of
from tenantrank.catalog.sources.offers import SourceInfo, SourceOffer, SourceTable, dated
from tenantrank.catalog.sources.prices import per_million
from tenantrank.catalog.sources.reading import Fetch, Where, read
from tenantrank.errors import CatalogError

NAME = "genai-prices"
LICENCE = "MIT"

_PRICES = {
    "price_in": "input_mtok",
    "price_out": "output_mtok",
    "price_cache_read": "cache_read_mtok",
    "price_cache_write": "cache_write_mtok",
    "price_audio_in": "input_audio_mtok",
    "price_audio_out": "output_audio_mtok",
    "price_reasoning": "output_reasoning_mtok",
}
# The package's Google entry covers both of Google's endpoints.
_ALSO = {"google": ("google", "google-vertex")}
_KIND = "()"
_MAX_ID = 300

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PriceRules:
    """Price rules by provider, in the package's order: the first model that matches a name prices it.

    Attributes
    ----------
    info : the source
    models : catalog provider id to its rules
    on : the day that dated prices are read for
    """

    info: SourceInfo
    models: Mapping[str, tuple[Tree, ...]]
    on: date

    def price(self, identities: Iterable[tuple[str, str]]) -> SourceTable:
        """Price offers that other sources list.

        Parameters
        ----------
        identities
            (provider_id, wire_model_id) of offers without a region of their own: the rules do not know regional prices

        Returns
        -------
        SourceTable
            an offer for each identity that a rule matches, in the order given
        """
        table = SourceTable(self.info)
        for provider_id, wire in identities:
            name = wire.lower()
            found = None
            if len(name) <= _MAX_ID:
                found = next((m for m in self.models.get(provider_id, ()) if _matches(m.get("match"), name)), None)
            values = _values(found, self.on) if found else {}
            if values:
                table.add(SourceOffer(provider_id, wire, None, values))
        return table


def load(where: Where, *, read_on: date, fetch: Fetch | None = None) -> PriceRules:
    """Read the price rules.

    Raises
    ------
    CatalogError
        where the source cannot be read, or is not the package's data file
    """
    document = read(where, "genai-prices", ("genai_prices/data.py",), fetch)
    path, content = document.members[0]
    as_of, dated_by = dated(None, where.as_of, read_on)
    models: dict[str, tuple[Tree, ...]] = {}
    for provider in _providers(path, content):
        listed = tuple(model for model in provider.get("models") or () if isinstance(model, dict))
        name = str(provider.get("id"))
        for provider_id in _ALSO.get(name, (provider_of(name),)):
            models.setdefault(provider_id, listed)
    return PriceRules(SourceInfo(NAME, document.origin, as_of, dated_by, LICENCE), models, date.fromisoformat(as_of))


def _providers(path: str, content: bytes) -> list[Tree]:
    try:
        for statement in ast.parse(content).body:
            target = statement.target if isinstance(statement, ast.AnnAssign) else None
            if isinstance(target, ast.Name) and target.id == "providers" and isinstance(statement, ast.AnnAssign):
                found = _data(statement.value)
                if isinstance(found, list) and found and all(isinstance(p, dict) and "models" in p for p in found):
                    return found
    except (SyntaxError, ValueError, ArithmeticError) as error:
        raise CatalogError(f"source {NAME}: {path} is not a whole table of literals ({error})") from error
    raise CatalogError(f"source {NAME}: {path} holds no table of providers")


def _data(node: ast.expr | None) -> Any:
    """Turn literals and constructor calls into data: a call becomes a dict of its keywords, its name under ``()``."""
    if isinstance(node, ast.List | ast.Tuple):
        return [_data(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_data(key): _data(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "Decimal" and len(node.args) == 1:
            return Decimal(str(_data(node.args[0])))
        if name == "date" and len(node.args) == 3:
            return date(*map(_data, node.args))
        if name in ("time", "datetime", "timezone", "timedelta"):
            return name
        return {_KIND: name} | {word.arg: _data(word.value) for word in node.keywords if word.arg}
    if isinstance(node, ast.Attribute):
        return node.attr
    if node is None:
        raise ValueError("an empty value")
    return ast.literal_eval(node)


def _matches(rule: Any, name: str) -> bool:
    if not isinstance(rule, dict):
        return False
    match rule.get(_KIND):
        case "ClauseEquals":
            return name == str(rule.get("equals")).lower()
        case "ClauseStartsWith":
            return name.startswith(str(rule.get("starts_with")).lower())
        case "ClauseEndsWith":
            return name.endswith(str(rule.get("ends_with")).lower())
        case "ClauseContains":
            return str(rule.get("contains")).lower() in name
        case "ClauseRegex":
            return re.search(str(rule.get("regex")), name) is not None
        case "ClauseOr":
            return any(_matches(part, name) for part in rule.get("or_") or ())
        case "ClauseAnd":
            parts = rule.get("and_") or ()
            return bool(parts) and all(_matches(part, name) for part in parts)
    return False


def _values(model: Tree, on: date) -> dict[str, Any]:
    prices = _on_day(model.get("prices"), on)
    values: dict[str, Any] = {}
    long: dict[str, tuple[int, float]] = {}
    for column, name in _PRICES.items():
        listed = prices.get(name)
        if isinstance(listed, dict):
            tiers = listed.get("tiers") or ()
            above = [(t.get("start"), per_million(t.get("price"))) for t in tiers if isinstance(t, dict)]
            if above and isinstance(above[0][0], int) and above[0][1] is not None:
                long[column] = (above[0][0], above[0][1])
            listed = listed.get("base")
        price = per_million(listed)
        if price is not None:
            values[column] = price
    if "price_in" in long and "price_out" in long and long["price_in"][0] == long["price_out"][0]:
        values.update(
            price_in_long=long["price_in"][1],
            price_out_long=long["price_out"][1],
            long_ctx_threshold=long["price_in"][0],
        )
    if isinstance(model.get("context_window"), int) and model["context_window"] > 0:
        values["context"] = model["context_window"]
    if model.get("deprecated") is True:
        values["status"] = "deprecated"
    return values


def _on_day(prices: Any, on: date) -> Tree:
    """Choose among dated prices: the last one in force on the day; prices for hours of the day do not count."""
    if isinstance(prices, dict):
        return prices
    chosen: Tree = {}
    for candidate in prices if isinstance(prices, list) else ():
        if not isinstance(candidate, dict) or not isinstance(candidate.get("prices"), dict):
            continue
        constraint = candidate.get("constraint")
        start = constraint.get("start_date") if isinstance(constraint, dict) else None
        if not chosen or constraint is None or (isinstance(start, date) and start <= on):
            chosen = candidate["prices"]
    return chosen
