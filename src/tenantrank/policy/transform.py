"""Request transforms: what a policy changes in the request of one attempt.

Source: the language's specification, section 6.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, TypeGuard

from tenantrank.errors import PolicyError, RequestError
from tenantrank.policy.admission import shown
from tenantrank.policy.arguments import check_type
from tenantrank.policy.normal_form import Node
from tenantrank.policy.randomness import MODULUS, Rng, text_hash

Custom = Callable[[dict[str, Any]], dict[str, Any]]


def apply_transform(
    transform: Node,
    request: Mapping[str, Any],
    holds: Callable[[Node], bool],
    seed: int | None = None,
    custom: Mapping[str, Custom] | None = None,
) -> dict[str, Any]:
    """Apply an Xform in normal form to a copy of a request.

    Parameters
    ----------
    transform
        the Xform
    request
        the body of the call; it is not changed
    holds
        whether a Pred holds for the offer of this attempt
    seed
        the decision's seed; without one, `jitter` does nothing and `inject_seed` removes its parameter
    custom
        the operator's registered transforms by name, each given the body to change and giving it back

    Raises
    ------
    PolicyError
        where a `custom` transform is not registered
    RequestError
        for a body that is no record or is nested too deeply to copy, and for transforms that are no record
    """
    check_type(request, Mapping, "the body of a request as a record")
    check_type(custom, (Mapping, NoneType), "custom transforms by name")
    try:
        body = copy.deepcopy(dict(request))
    except RecursionError:
        raise RequestError("the body of a request is nested too deeply") from None
    return _applied(transform, body, holds, seed, custom or {})


def _applied(
    node: Node,
    body: dict[str, Any],
    holds: Callable[[Node], bool],
    seed: int | None,
    custom: Mapping[str, Custom],
) -> dict[str, Any]:
    name, given = node.op, node.parameters
    if name == "seq":
        for child in node.children:
            body = _applied(child, body, holds, seed, custom)
    elif name == "when":
        condition, inner = node.children
        if holds(condition):
            body = _applied(inner, body, holds, seed, custom)
    elif name == "inject_seed" or (name == "set_param" and given[1] == "from_ctx"):
        _inject_seed(body, given[0], seed)
    elif name == "set_param":
        body[given[0]] = _written(given[1])
    elif name == "clamp_param":
        _clamp(body, *given)
    elif name == "jitter":
        _jitter(body, given[0], given[1], seed)
    elif name in ("filter_text", "filter_image"):
        _filter(body, name.removeprefix("filter_"), given[0], seed)
    elif name == "custom":
        if given[0] not in custom:
            raise PolicyError("$", f"custom transform {shown(given[0])} is not registered")
        body = custom[given[0]](body)
    return body


def _inject_seed(body: dict[str, Any], parameter: str, seed: int | None) -> None:
    if seed is None:
        body.pop(parameter, None)
    else:
        body[parameter] = seed


def _clamp(body: dict[str, Any], parameter: str, low: float, high: float) -> None:
    value = body.get(parameter)
    if _is_number(value):
        body[parameter] = _written(low) if value < low else (_written(high) if value > high else value)


def _jitter(body: dict[str, Any], parameter: str, amplitude: float, seed: int | None) -> None:
    if seed is None:
        return
    draw = Rng((seed + text_hash(f"jitter:{parameter}")) % MODULUS).draw()
    shift = (draw * 2 - 1) * amplitude
    value = body.get(parameter)
    if _is_number(value):
        # An integer beyond the range of doubles is far too large for the shift to show.
        with contextlib.suppress(OverflowError):
            body[parameter] = value + shift
    else:
        body[parameter] = shift


def _filter(body: dict[str, Any], kind: str, recipe: list[Any], seed: int | None) -> None:
    filters = body.get("_filters")
    if not isinstance(filters, dict):
        filters = body["_filters"] = {}
    entry: dict[str, Any] = {"recipe": [_step(step) for step in recipe]}
    if seed is not None:
        entry["seed"] = seed % MODULUS
    filters[kind] = entry


def _step(step: Any) -> Any:
    return {key: _written(value) for key, value in step.items()} if isinstance(step, dict) else step


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _written(value: Any) -> Any:
    """Write an integral number as an integer, as providers expect of ``max_tokens`` and the like."""
    if isinstance(value, float) and value == int(value) and abs(value) <= 2**53:
        return int(value)
    return value
