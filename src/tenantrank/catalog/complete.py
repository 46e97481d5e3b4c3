"""What follows from the merged rows themselves: names, regions, and facts that offers of one model share.

Three kinds of fact are filled, each marked in its origin. ``+same-provider``: a capability or limit of the same model
at the same provider in another region or under another id, where all that state it agree. ``+model``: a fact of the
model, whoever serves it, where the maker's own offers agree or else two thirds of the offers that state it. ``id``:
what the offer's own id says.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from tenantrank.catalog.merge import Row
from tenantrank.catalog.precedence import CAPABILITIES
from tenantrank.catalog.sources.normalize import model_names
from tenantrank.catalog.sources.regions import residency

SIBLING_COLUMNS = ("context", "max_input", "max_output", *CAPABILITIES)
"""Filled from the same model at the same provider."""
MODEL_COLUMNS = ("release_date", "knowledge_cutoff", "open_weights")
"""Facts of a model, filled by model key."""
FAMILY_COLUMNS = ("lab", "family_group")
"""Facts of a model family, filled by family."""
AGREEMENT = 2 / 3
"""Share of the stating offers that must agree where the maker's own do not decide."""

LABS: Mapping[str, str] = MappingProxyType(
    {
        "ai21": "ai21",
        "alibaba": "alibaba",
        "allenai": "allenai",
        "amazon": "amazon",
        "anthropic": "anthropic",
        "arcee-ai": "arcee",
        "baidu": "baidu",
        "bytedance": "bytedance",
        "bytedance-seed": "bytedance",
        "cohere": "cohere",
        "deepseek": "deepseek",
        "deepseek-ai": "deepseek",
        "google": "google",
        "ibm": "ibm",
        "ibm-granite": "ibm",
        "inception": "inception",
        "inclusionai": "inclusionai",
        "liquid": "liquid",
        "meta": "meta",
        "meta-llama": "meta",
        "microsoft": "microsoft",
        "minimax": "minimax",
        "minimaxai": "minimax",
        "mistral": "mistral",
        "mistralai": "mistral",
        "moonshotai": "moonshotai",
        "nousresearch": "nousresearch",
        "nvidia": "nvidia",
        "openai": "openai",
        "perplexity": "perplexity",
        "qwen": "alibaba",
        "stepfun": "stepfun",
        "stepfun-ai": "stepfun",
        "swiss-ai": "swiss-ai",
        "tencent": "tencent",
        "thedrummer": "thedrummer",
        "upstage": "upstage",
        "writer": "writer",
        "x-ai": "xai",
        "xai": "xai",
        "xiaomi": "xiaomi",
        "xiaomimimo": "xiaomi",
        "z-ai": "zai",
        "zai": "zai",
        "zai-org": "zai",
    }
)
"""A maker's name inside a model id to the maker."""

_LINES: Mapping[str, str] = MappingProxyType(
    {
        "claude": "anthropic",
        "command": "cohere",
        "deepseek": "deepseek",
        "gemini": "google",
        "gemma": "google",
        "glm": "zai",
        "gpt": "openai",
        "grok": "xai",
        "kimi": "moonshotai",
        "llama": "meta",
        "magistral": "mistral",
        "mimo": "xiaomi",
        "ministral": "mistral",
        "mistral": "mistral",
        "nemotron": "nvidia",
        "o1": "openai",
        "o3": "openai",
        "o4": "openai",
        "phi": "microsoft",
    }
)
"""First word of a model's name to its maker, for lines that one maker alone names so."""

_OWN_PROVIDER: Mapping[str, str] = MappingProxyType({"zai": "zai", "meta": "llama"})


def complete(rows: Sequence[Row], built: str) -> Counter[str]:
    """Add names, regions and shared facts to merged rows, in place.

    Parameters
    ----------
    rows
        merged rows
    built
        date of the build, as the date of what is read from an id

    Returns
    -------
    Counter
        how many values each kind of filling gave, by ``kind:column``
    """
    for row in rows:
        _name(row, built)
        _place(row, built)
        if {"price_in", "price_out"} <= row.values.keys():
            row.values["price_zero_listed"] = row.values["price_in"] == 0 == row.values["price_out"]
            row.origins["price_zero_listed"] = row.origins["price_in"]
        row.values["source_set"] = "+".join(row.sources)
    filled: Counter[str] = Counter()
    _fill(
        rows,
        SIBLING_COLUMNS,
        lambda row: (row.provider_id, row.values["model_key"]),
        _unanimous,
        "same-provider",
        filled,
    )
    _fill(rows, MODEL_COLUMNS, lambda row: row.values["model_key"], _agreed, "model", filled)
    _fill(rows, FAMILY_COLUMNS, lambda row: row.values["model_family"], _agreed, "model", filled)
    return filled


def _name(row: Row, built: str) -> None:
    names = model_names(row.wire_model_id)
    row.values.update(model_key=names.key, model_family=names.family)
    if names.quantization:
        row.put("quantization", names.quantization, "id", built)
    if names.tee:
        row.put("has_tee", True, "id", built)
    lab = _lab(row.wire_model_id, names.family)
    if lab:
        row.put("lab", lab, "id", built)


def _lab(wire: str, family: str) -> str | None:
    """Name a model's maker by the first word of its name, else by the maker's name in front of it."""
    first = family.split("-")[0].rstrip("0123456789.") or family.split("-")[0]
    known = _LINES.get(first) or _LINES.get(family.split("-")[0])
    if known:
        return known
    parts = wire.lower().split("/")[:-1] or wire.lower().split(".")[:-1]
    return next((LABS[part] for part in reversed(parts) if part in LABS), None)


def _place(row: Row, built: str) -> None:
    stated = row.values.pop("regions", None)
    source, as_of = row.origins.pop("regions", ("id", built))
    found = residency(row.provider_id, row.wire_model_id, row.region_key, stated)
    if found is None:
        return
    if found.source != "stated":
        source, as_of = f"id:{found.source}", built
    row.put("regions", list(found.regions), source, as_of)
    row.put("geo", list(found.geo), source, as_of)
    row.put("region_scope", found.scope, source, as_of)
    if found.cloud_region:
        row.put("cloud_region", found.cloud_region, source, as_of)


Choose = Callable[[str, list[Row]], Row | None]


def _fill(
    rows: Iterable[Row],
    columns: Sequence[str],
    key: Callable[[Row], Any],
    choose: Choose,
    kind: str,
    filled: Counter[str],
) -> None:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    for group in groups.values():
        for column in columns:
            stating = [row for row in group if column in row.values]
            if not stating or len(stating) == len(group):
                continue
            model = choose(column, stating)
            if model is None:
                continue
            source, as_of = model.origins[column]
            for row in group:
                if column not in row.values:
                    row.put(column, model.values[column], f"{source}+{kind}", as_of)
                    filled[f"{kind}:{column}"] += 1


def _unanimous(column: str, stating: list[Row]) -> Row | None:
    return stating[0] if len({repr(row.values[column]) for row in stating}) == 1 else None


def _agreed(column: str, stating: list[Row]) -> Row | None:
    own = [row for row in stating if _is_makers_own(row)]
    if own and (agreed := _unanimous(column, own)):
        return agreed
    counts = Counter(repr(row.values[column]) for row in stating)
    value, count = counts.most_common(1)[0]
    if count < AGREEMENT * len(stating):
        return None
    return next(row for row in stating if repr(row.values[column]) == value)


def _is_makers_own(row: Row) -> bool:
    lab = row.values.get("lab")
    return lab is not None and row.provider_id == _OWN_PROVIDER.get(lab, lab)
