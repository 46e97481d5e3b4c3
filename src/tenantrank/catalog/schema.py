"""The documented columns of a catalog: name, Arrow type, unit, and what a null means there.

A catalog's table holds every column of `COLUMNS`, in that order, and then any further columns by name. A column that no
source fills is null throughout, so that the vocabulary of policies does not depend on which snapshot is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import pyarrow as pa

Kind = Literal["string", "bool", "int64", "double", "date32", "list"]
KINDS: tuple[Kind, ...] = ("string", "bool", "int64", "double", "date32", "list")

CAPABILITY_PREFIX = "capability:"
"""Begins the column of a capability whose name does not begin with ``supports_``."""

OFFER_PREFIX = "offer:"
"""Begins the column of a further key of a record's ``offer`` map."""

EXPECTED_COST = "expected_cost_usd"
"""The field of what a call is expected to cost, worked out from a request's estimates and the catalog's prices."""

GEOS: tuple[str, ...] = (
    "africa", "apac", "au", "ca", "ch", "cn", "eu", "global", "in", "jp", "kr", "me", "sa", "sg", "uk", "us", "us-gov",
)  # fmt: skip
"""Coarse places of ``geo`` that always have a field: ``sa`` is South America, ``me`` the Middle East."""

LABELS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mode": ("chat", "completion", "responses"),
        "status": ("alpha", "beta", "deprecated"),
        "region_scope": ("single_region", "geo", "global"),
        "zdr": ("default", "self_serve", "conditional", "approval", "none"),
        "trains_on_data": ("no", "yes", "tier_dependent", "upstream_dependent"),
    }
)
"""The labels of each string column that knows no other value."""

_ARROW: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        "string": pa.dictionary(pa.int32(), pa.string()),
        "bool": pa.bool_(),
        "int64": pa.int64(),
        "double": pa.float64(),
        "date32": pa.date32(),
        "list": pa.list_(pa.string()),
    }
)


def arrow_type(kind: Kind) -> pa.DataType:
    """Give the Arrow type that a catalog's table uses for a kind of column."""
    return _ARROW[kind]


@dataclass(frozen=True, slots=True)
class Column:
    """One documented column.

    Attributes
    ----------
    kind : one of `KINDS`; a ``string`` has int32 dictionary codes in the table, a ``list`` holds strings
    unit : unit of a number, form of a string where it has one, else empty
    null : what a null says, and what it counts as where a policy reads the column by a rule of its own
    default : for a number, what a policy sees where nothing is known; the worst value there is for prices, factors,
        delays, speeds, retention, windows and quality, the best for `success_rate`, neither for `long_ctx_threshold`
    required : a null is refused
    """

    name: str
    kind: Kind
    unit: str
    null: str
    description: str
    default: float = 0.0
    required: bool = False

    @property
    def type(self) -> pa.DataType:
        """Arrow type in a catalog's table; ``offer_id`` alone is a plain string, for no two are equal."""
        return pa.string() if self.name == "offer_id" else _ARROW[self.kind]


_UNSTATED = "no source states it"
_NO_END = "no end is announced by any source: not deprecated, but by `status`"
_INF = math.inf


def _text(name: str, description: str, unit: str = "", null: str = _UNSTATED) -> Column:
    return Column(name, "string", unit, null, description)


def _label(name: str, description: str, null: str = _UNSTATED) -> Column:
    *first, last = LABELS[name]
    return Column(name, "string", f"{', '.join(first)} or {last}", null, description)


def _key(name: str, description: str) -> Column:
    return Column(name, "string", "", "refused", description, required=True)


def _price(name: str, description: str, null: str = _UNSTATED) -> Column:
    return Column(name, "double", "USD per 1M tokens", null, description, _INF)


def _tokens(name: str, description: str, null: str = _UNSTATED) -> Column:
    return Column(name, "int64", "tokens", null, description)


def _flag(name: str, description: str, null: str = _UNSTATED) -> Column:
    return Column(name, "bool", "", null, description)


def _places(name: str, description: str) -> Column:
    return Column(name, "list", "", _UNSTATED, description)


def _factor(name: str, description: str) -> Column:
    return Column(name, "double", "factor on the price", "no such option is documented", description, _INF)


COLUMNS: tuple[Column, ...] = (
    _key("offer_id", "key of the offer: one provider serving one model at one endpoint or region"),
    _key("provider_id", "who is called and paid"),
    _key("model_family", "the model, whoever serves it"),
    _text("model_key", "spelling-insensitive key by which sources are joined"),
    _text("wire_model_id", "the model's name in a request to this provider"),
    _text("model_name", "name for people"),
    _text("family_group", "line of models that the family belongs to"),
    _text("lab", "organisation that made the model"),
    _label("mode", "kind of endpoint"),
    _label("status", "the provider's own label", "no label is stated: neither beta nor deprecated"),
    _text("tier", "the operator's tier", "a name of the tier order", "counts as fallback"),
    _text("scope", "only requests of this scope may use the offer", "", "open to every request"),
    _text("peer_id", "who really serves a relayed offer", "", "the provider itself"),
    _price("price_in", "input price"),
    _price("price_out", "output price"),
    _price("price_cache_read", "price of input read from the provider's cache"),
    _price("price_cache_write", "price of input written to the provider's cache"),
    _price("price_reasoning", "price of reasoning tokens", "billed as output, or not stated"),
    _price("price_audio_in", "price of audio input"),
    _price("price_audio_out", "price of audio output"),
    _price("price_in_batch", "input price of the batch endpoint"),
    _price("price_out_batch", "output price of the batch endpoint"),
    _price("price_in_long", "input price above `long_ctx_threshold`", "no second price is stated"),
    _price("price_out_long", "output price above `long_ctx_threshold`", "no second price is stated"),
    _tokens("long_ctx_threshold", "input length above which the long prices hold", "no second price is stated"),
    _flag(
        "price_zero_listed",
        "both prices are listed as 0: a free tier, a subscription or a local runner, not a known cost of nothing",
        "the prices are not both stated",
    ),
    _tokens("context", "largest context window"),
    _tokens("max_input", "largest input"),
    _tokens("max_output", "largest output"),
    _flag("supports_tools", "takes tool definitions and calls them"),
    _flag("supports_parallel_tools", "may call several tools in one answer"),
    _flag("supports_tool_choice", "takes tool_choice"),
    _flag("supports_structured_output", "answers to a given JSON schema"),
    _flag("supports_json_mode", "takes response_format json_object"),
    _flag("supports_seed", "takes a seed"),
    _flag("supports_reasoning", "reasons before it answers"),
    _flag("supports_vision", "takes images"),
    _flag("supports_audio_in", "takes audio"),
    _flag("supports_audio_out", "answers in audio"),
    _flag("supports_video_in", "takes video"),
    _flag("supports_pdf_in", "takes PDF files"),
    _flag("supports_prompt_caching", "caches prompts"),
    _flag("supports_web_search", "searches the web by itself"),
    _flag("supports_streaming", "streams its answer"),
    _flag("supports_temperature", "takes a temperature"),
    _flag("open_weights", "the weights are published"),
    _text("quantization", "number format of the served weights", "as fp8, bf16, int4"),
    _text("knowledge_cutoff", "end of the training data", "YYYY, YYYY-MM or YYYY-MM-DD"),
    Column("release_date", "date32", "date", _UNSTATED, "first release of the model"),
    Column("last_updated", "date32", "date", _UNSTATED, "last change of the model by its maker"),
    Column("deprecation_date", "date32", "date", _NO_END, "day from which the offer ends"),
    _text("region_key", "what tells this offer from the same model elsewhere", "", "the provider's default endpoint"),
    _places("geo", "coarse places where requests may be processed, as eu, us, uk, ch, global"),
    _places("regions", "cloud regions, or coarse places where no finer one is known, of processing"),
    _label("region_scope", "how closely `regions` binds"),
    _text("cloud_region", "the one cloud region of a single-region offer", "", "not bound to one, or not stated"),
    _places("residency_options", "places that a caller may pin on request, usually at `residency_uplift_*`"),
    _factor("residency_uplift_eu", "price factor of pinning to the EU"),
    _factor("residency_uplift_us", "price factor of pinning to the US"),
    _factor("regional_endpoint_uplift", "price factor of a regional endpoint"),
    _flag("no_log", "keeps no log of prompts or answers, by documented default or by attestation"),
    Column("retention_days", "int64", "days", _UNSTATED, "longest storage of prompts or answers; 0 is none", _INF),
    _label("zdr", "route to zero retention"),
    _label("trains_on_data", "whether requests train models"),
    _text("policy_scope", "what the data policy above covers, in words"),
    _flag("has_tee", "runs in a trusted execution environment"),
    Column("latency_ms", "double", "ms", "not measured", "time to answer, as the operator measured it", _INF),
    Column("tok_s", "double", "tokens/s", "not measured", "output speed, as the operator measured it"),
    Column("success_rate", "double", "0-1", "not measured: counts as 1", "share of calls that succeed", 1.0),
    Column("quality_hint", "double", "0-1", "no estimate", "the operator's estimate of quality"),
    _text("base_url", "base address of the provider's API"),
    _text("source_set", "the sources that describe this offer", "names joined by +"),
)
"""The documented columns, in table order."""

BY_NAME: Mapping[str, Column] = MappingProxyType({column.name: column for column in COLUMNS})

FIXED: frozenset[str] = frozenset(
    {column.name for column in COLUMNS if column.required or column.kind in ("date32", "list")}
    | {"tier", "scope", "peer_id", "context", "wire_model_id", "base_url"}
)
"""Columns whose kind no field declaration can change."""


def arrow_schema() -> pa.Schema:
    """Give the Arrow schema of `COLUMNS`: order, types, and nullability of the keys."""
    return pa.schema([pa.field(column.name, column.type, nullable=not column.required) for column in COLUMNS])


def kind_of_type(dtype: pa.DataType) -> Kind | None:
    """Give the kind that an Arrow type is read as, or ``None`` where a catalog cannot hold it."""
    if pa.types.is_dictionary(dtype):
        return "string" if kind_of_type(dtype.value_type) == "string" else None
    tests: tuple[tuple[Any, Kind], ...] = (
        (pa.types.is_string, "string"),
        (pa.types.is_large_string, "string"),
        (pa.types.is_boolean, "bool"),
        (pa.types.is_integer, "int64"),
        (pa.types.is_floating, "double"),
        (pa.types.is_date, "date32"),
    )
    for test, kind in tests:
        if test(dtype):
            return kind
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        return "list" if kind_of_type(dtype.value_type) == "string" else None
    return None
