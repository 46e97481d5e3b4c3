"""OpenRouter's ``provider`` object beside ``model``, translated to a policy.

Source: OpenRouter's documentation of provider routing, as of autumn 2026. What its members promise and the policy
language cannot, is refused; nothing is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from tenantrank.gateway.directory import Directory
from tenantrank.gateway.preferences import score_of
from tenantrank.gateway.problem import Problem
from tenantrank.tenants.nearest import hint

MEMBERS = (
    "only",
    "ignore",
    "order",
    "allow_fallbacks",
    "require_parameters",
    "data_collection",
    "zdr",
    "sort",
    "max_price",
    "quantizations",
    "enforce_distillable_text",
    "preferred_min_throughput",
    "preferred_max_latency",
)
"""The members of the object."""

_VARIANTS = {"nitro": "throughput", "floor": "price"}
_PRICES = {"prompt": "price_in", "completion": "price_out"}
_DECIMAL = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_CAPABILITIES: Mapping[str, str | None] = {
    **dict.fromkeys(("model", "messages", "input", "stream", "stream_options", "max_tokens", "max_completion_tokens")),
    **dict.fromkeys(("user", "metadata", "stop", "top_p", "n", "store")),
    "tools": "supports_tools",
    "functions": "supports_tools",
    "tool_choice": "supports_tool_choice",
    "function_call": "supports_tool_choice",
    "parallel_tool_calls": "supports_parallel_tools",
    "response_format": "supports_json_mode",
    "seed": "supports_seed",
    "temperature": "supports_temperature",
    "reasoning": "supports_reasoning",
    "reasoning_effort": "supports_reasoning",
    "web_search_options": "supports_web_search",
}
_STRUCTURED = "supports_structured_output"
_MOST_NAMES = 64


def policy_of_provider(
    provider: Mapping[str, Any], model: str, directory: Directory, sent: Mapping[str, Any] | Collection[str] = ()
) -> list[Any]:
    """Translate a ``provider`` object and the model beside it to a ``sigma-pol/v2`` term.

    The model becomes a `family_eq`: ``vendor/model``, its endings ``:nitro`` and ``:floor`` meaning a `sort`, or a
    family of the catalog; every policy has `meets_req`. Providers are OpenRouter's slugs and names or the catalog's
    ids. Then

    - ``only``: one of these. ``ignore``: none of these, nor what the catalog keeps apart from them by an ending
      (``minimax`` takes ``minimax-cn`` with it);
    - ``order``: these first, in this order, and with ``allow_fallbacks: false`` only these;
    - ``allow_fallbacks: false`` without ``order``: the best offer alone;
    - ``max_price``: ``prompt`` and ``completion`` bound ``price_in`` and ``price_out``, unknown prices failing;
    - ``zdr: true``: ``is no_log``. ``data_collection: "deny"``: that, and ``is trains_on_data_no``;
    - ``require_parameters: true``: the capability behind each member of the call that has one, others being refused;
    - ``sort``, ``preferred_min_throughput``, ``preferred_max_latency``: see `tenantrank.gateway.preferences`.

    Parameters
    ----------
    provider
        the object
    model
        the call's ``model``
    directory
        the names of the catalog
    sent
        the call's members that are sent on, for ``require_parameters``

    Raises
    ------
    Problem
        404 ``model_not_found``, else 400 ``invalid_provider`` with the member at fault: an unknown one, a wrong type,
        an unknown provider in any list, an empty ``only``, or what cannot be promised (``quantizations``, a price a
        request or an image, ``enforce_distillable_text``, percentiles)
    """
    for name in provider:
        if name not in MEMBERS:
            raise _refused(name, f"there is no such member{hint(name[:64], MEMBERS)}")
    model, sort = _sorted_model(model, provider.get("sort"))
    clauses: list[Any] = [["family_eq", _family(model, directory)], ["meets_req"]]
    only = _names(provider, "only", directory)
    if only is not None:
        if not only:
            raise _refused("only", "it lists no provider")
        clauses.append(_any_of(only))
    ignored = {name for base in _names(provider, "ignore", directory) or () for name in directory.with_variants(base)}
    clauses += [["not", ["provider_eq", name]] for name in sorted(ignored)]
    clauses += [["cmp", field, "le", bound] for field, bound in _prices(provider)]
    denied = _choice(provider, "data_collection", ("allow", "deny")) == "deny"
    if denied or _flag(provider, "zdr"):
        clauses.append(["is", "no_log"])
    if denied:
        clauses.append(["is", "trains_on_data_no"])
    if _flag(provider, "enforce_distillable_text"):
        raise _refused("enforce_distillable_text", "the catalog does not know which licences allow it")
    if provider.get("quantizations") not in (None, []):
        raise _refused("quantizations", "the catalog cannot promise number formats")
    if _flag(provider, "require_parameters"):
        clauses += [["is", field] for field in _capabilities(sent)]
    order = _names(provider, "order", directory) or []
    selector: list[Any] = ["argmax"]
    if _flag(provider, "allow_fallbacks") is False:
        if order:
            clauses.append(_any_of(order))
        else:
            selector = ["top_k", 1, ["argmax"]]
    return [
        "policy",
        ["and", *clauses],
        score_of({**provider, "sort": sort}, order),
        selector,
        ["id"],
        ["always", {"action": "next_candidate"}],
    ]


def _sorted_model(model: str, sort: Any) -> tuple[str, Any]:
    base, _, variant = model.rpartition(":")
    meant = _VARIANTS.get(variant) if base else None
    if meant is None:
        return model, sort
    if sort is not None and sort != meant:
        raise _refused("sort", f"the model's ending :{variant} asks for {meant!r}")
    return base, meant


def _family(model: str, directory: Directory) -> str:
    vendor, slash, _ = model.partition("/")
    family = directory.family(model)
    if family is not None and family != model and slash and directory.is_host(vendor):
        message = f"{vendor[:64]!r} serves models and makes none; name it in provider.only"
        raise Problem(404, "model_not_found", message, param="model")
    if family is None:
        near = directory.nearest_family(model)
        meant = "" if near is None else f", did you mean {near!r}?"
        raise Problem(404, "model_not_found", f"no model family is called {model[:100]!r}{meant}", param="model")
    return family


def _names(provider: Mapping[str, Any], member: str, directory: Directory) -> list[str] | None:
    given = provider.get(member)
    if given is None:
        return None
    if type(given) is not list or len(given) > _MOST_NAMES or not all(type(name) is str for name in given):
        raise _refused(member, f"it must be a list of at most {_MOST_NAMES} names of providers")
    found: dict[str, None] = {}
    for name in given:
        known = directory.provider(name)
        if known is None:
            near = directory.nearest_provider(name)
            meant = "" if near is None else f", did you mean {near!r}?"
            where = "endpoints of a provider are not told apart" if "/" in name else "no provider is called so"
            raise _refused(member, f"{name[:64]!r}: {where}{meant}")
        found[known] = None
    return list(found)


def _prices(provider: Mapping[str, Any]) -> list[tuple[str, float]]:
    given = provider.get("max_price")
    if given is None:
        return []
    if type(given) is not dict:
        raise _refused("max_price", "it must be an object of prices")
    bounds = []
    for name, bound in given.items():
        if bound is None:
            continue
        if name not in _PRICES:
            raise _refused("max_price", "only prompt and completion can be bounded, in USD per million tokens")
        if type(bound) is str and _DECIMAL.fullmatch(bound):
            bound = float(bound)
        if type(bound) not in (int, float) or bound < 0:
            raise _refused("max_price", f"{name} must be a number of at least 0")
        bounds.append((_PRICES[name], bound))
    return bounds


def _capabilities(sent: Mapping[str, Any] | Collection[str]) -> list[str]:
    fields = set()
    for name in sent:
        if name not in _CAPABILITIES:
            raise _refused("require_parameters", f"the catalog does not know who supports {name[:64]!r}")
        field = _CAPABILITIES[name]
        if field is not None:
            fields.add(field)
    form = sent.get("response_format") if isinstance(sent, Mapping) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        fields.add(_STRUCTURED)
    return sorted(fields)


def _flag(provider: Mapping[str, Any], member: str) -> bool | None:
    value = provider.get(member)
    if value is not None and type(value) is not bool:
        raise _refused(member, "it must be true or false")
    return value


def _choice(provider: Mapping[str, Any], member: str, values: tuple[str, ...]) -> Any:
    value = provider.get(member)
    if value is not None and value not in values:
        raise _refused(member, f"it must be one of {', '.join(values)}")
    return value


def _any_of(names: list[str]) -> list[Any]:
    terms = [["provider_eq", name] for name in names]
    return ["or", *terms]


def _refused(member: str, why: str) -> Problem:
    place = f"provider.{member[:64]}"
    return Problem(400, "invalid_provider", f"{place}: {why}", param=place)
