"""The tables of the policy language: its ops with their sorts, its fields, its relations and actions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

V1 = "sigma-pol/v1"
V2 = "sigma-pol/v2"

MAX_DEPTH = 64
MAX_NODES = 4096

# The sorts that are written as terms; every other kind of argument is a plain parameter.
TERM_SORTS = frozenset({"Pred", "Scorer", "Selector", "Xform", "FailPlan", "Policy", "Evidence"})

# op -> (result sort, kinds of its arguments); a single kind that ends in "+" stands for one or more of it.
COMMON: dict[str, tuple[str, tuple[str, ...]]] = {
    "top": ("Pred", ()),
    "bot": ("Pred", ()),
    "meets_req": ("Pred", ()),
    "scope_matches": ("Pred", ()),
    "and": ("Pred", ("Pred+",)),
    "or": ("Pred", ("Pred+",)),
    "not": ("Pred", ("Pred",)),
    "is": ("Pred", ("BoolField",)),
    "cmp": ("Pred", ("NumField", "Rel", "Num")),
    "tier_eq": ("Pred", ("Tier",)),
    "min_tier": ("Pred", ("Tier",)),
    "family_eq": ("Pred", ("String",)),
    "has_cap": ("Pred", ("String",)),
    "zero": ("Scorer", ()),
    "add": ("Scorer", ("Scorer+",)),
    "scale": ("Scorer", ("Num", "Scorer")),
    "gate": ("Scorer", ("Pred", "Scorer")),
    "neg": ("Scorer", ("Scorer",)),
    "normalize": ("Scorer", ("Scorer",)),
    "clamp": ("Scorer", ("Num", "Num", "Scorer")),
    "field": ("Scorer", ("NumField",)),
    "lit": ("Scorer", ("Num",)),
    "argmax": ("Selector", ()),
    "ordered": ("Selector", ()),
    "sample": ("Selector", ("Num",)),
    "chain": ("Selector", ("Chain",)),
    "top_k": ("Selector", ("Count", "Selector")),
    "id": ("Xform", ()),
    "seq": ("Xform", ("Xform+",)),
    "set_param": ("Xform", ("String", "Scalar")),
    "inject_seed": ("Xform", ("String",)),
    "clamp_param": ("Xform", ("String", "Num", "Num")),
    "jitter": ("Xform", ("String", "Num")),
    "filter_text": ("Xform", ("Recipe",)),
    "filter_image": ("Xform", ("Recipe",)),
    "custom": ("Xform", ("String",)),
    "when": ("Xform", ("Pred", "Xform")),
    "always": ("FailPlan", ("Action",)),
    "override": ("FailPlan", ("FailPlan", "String", "Action")),
}
SIGNATURES: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {
    V2: {
        **COMMON,
        "provider_eq": ("Pred", ("String",)),
        "served_by_eq": ("Pred", ("String",)),
        "policy": ("Policy", ("Pred", "Scorer", "Selector", "Xform", "FailPlan")),
    },
    V1: {
        **COMMON,
        "quality": ("Scorer", ()),
        "speed": ("Scorer", ()),
        "cost": ("Scorer", ()),
        "free_credit": ("Scorer", ()),
        "partner": ("Scorer", ()),
        "ev_zero": ("Evidence", ()),
        "ev_add": ("Evidence", ("Evidence+",)),
        "ev_scale": ("Evidence", ("Num", "Evidence")),
        "decay": ("Evidence", ("Num", "Evidence")),
        "from_prov": ("Evidence", ("String",)),
        "policy": ("Policy", ("Evidence", "Pred", "Scorer", "Selector", "Xform", "FailPlan")),
    },
}

# Built-in field -> (sort, value when nothing is known).
BUILTINS: dict[str, tuple[str, float | bool]] = {
    "price_in": ("Num", math.inf),
    "price_out": ("Num", math.inf),
    "latency_ms": ("Num", math.inf),
    "tok_s": ("Num", 0.0),
    "success_rate": ("Num", 1.0),
    "credits": ("Num", 0.0),
    "context": ("Num", 0.0),
    "has_tee": ("Bool", False),
    "no_log": ("Bool", False),
    "breaker_open": ("Bool", False),
    "disabled": ("Bool", False),
}
BUILTINS_V1: dict[str, tuple[str, float | bool]] = {"quality": ("Num", 0.0), "quality_hint": ("Num", 0.0)}

RELATIONS = ("lt", "le", "eq", "ne", "ge", "gt")
ACTIONS = ("retry_same", "next_candidate", "next_provider_same_model", "disable_provider", "abort")
TIER_ORDER = ("fallback", "marketplace", "partner")

# Extension fields are declared as the vectors declare them: {name: {"sort": "Num" | "Bool", "default": value}}.
Fields = Mapping[str, Mapping[str, Any]]
Term = list[Any]


def field_sort(name: str, fields: Fields, version: str) -> str | None:
    if name in BUILTINS:
        return BUILTINS[name][0]
    if version == V1 and name in BUILTINS_V1:
        return BUILTINS_V1[name][0]
    if name in fields:
        return str(fields[name]["sort"])
    return None
