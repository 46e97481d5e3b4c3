"""What a call needs of an offer, derived from its body.

The policy language's `meets_req` checks it; a policy without `meets_req` is not bound by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from tenantrank.engine.request import NEEDS, Request
from tenantrank.errors import RequestError
from tenantrank.gateway.body import Body
from tenantrank.gateway.parts import attachments_of
from tenantrank.gateway.problem import Problem
from tenantrank.policy.strict_json import MAX_INTEGER

Route = Literal["chat", "embeddings"]

_LEAST_TOKENS = 1024
_MOST_TOKENS = 1 << 40
_JSON_FORMATS = ("json_object", "json_schema")


def request_of(body: Body, route: Route) -> Request:
    """Derive the request of a call.

    Needs: ``tools`` where ``tools`` or ``functions`` lists something, ``vision`` where a message holds an image,
    ``json_mode`` where ``response_format`` is of type ``json_object`` or ``json_schema``, ``seed`` where one is given.
    To these come what the member ``requirements`` asks for and the member ``scope``, as `tenantrank.Request` takes
    them. The stricter of two wins: needs add up, and of two values of ``min_context`` the greater counts.

    ``min_context`` is an estimate of the tokens of the input, plus ``max_completion_tokens`` or ``max_tokens``, the
    greater of them where both are given. The estimate is two tokens for seven bytes of JSON (English has four bytes to
    a token and more, code and Chinese about three) of messages, tools and response format, with attachments taken out
    and counted by kind (`tenantrank.gateway.parts`); for embeddings it is that of the longest input, and tokens count
    as what they are. It is rounded up to an eighth of a power of two, at least 1,024, so that calls of about one size
    share what the engine prepares for them.

    ``estimated_input_tokens`` and ``estimated_output_tokens`` are the two summands, the first rounded likewise; what
    ``requirements`` says of them stands instead, for they are no requirements.

    Raises
    ------
    Problem
        400 ``invalid_request`` for a member read here that is not of its documented type
    """
    members = body.members
    needs: list[str] = []
    if route == "embeddings":
        taken, given = _tokens_of_input(members), None
    else:
        if _listed(members, "tools") or _listed(members, "functions"):
            needs.append("tools")
        images, moved_out, tokens = attachments_of(members)
        if images:
            needs.append("vision")
        if _type_of_format(members) in _JSON_FORMATS:
            needs.append("json_mode")
        if members.get("seed") is not None:
            needs.append("seed")
        length = body.length_of("messages", "tools", "functions", "response_format")
        taken = _tokens(max(0, length - moved_out)) + tokens
        given = _limit(members)
    rounded = _rounded(taken)
    context = _rounded(taken + given) if given else rounded
    if "requirements" not in members and "scope" not in members:
        return _request(tuple(needs), context, rounded, given)
    return _stricter(members, needs, context, rounded, given)


def seed_of(body: Body) -> int | None:
    """Give the seed of the decision: ``routing_seed``, else the ``seed`` of the call, else ``None``.

    Raises
    ------
    Problem
        400 ``invalid_request`` where the member that counts is no integer
    """
    for name in ("routing_seed", "seed"):
        seed = body.members.get(name)
        if seed is not None:
            if type(seed) is not int:
                raise _mistyped(name, "an integer")
            return seed
    return None


# Most calls need what others needed, and a request takes longer to make than to find.
@lru_cache(maxsize=4096)
def _request(needs: tuple[str, ...], context: int, taken: int, given: int | None) -> Request:
    return Request(needs=needs, min_context=context, estimated_input_tokens=taken, estimated_output_tokens=given)


def _stricter(members: Mapping[str, Any], needs: list[str], context: int, taken: int, given: int | None) -> Request:
    required = members.get("requirements", {})
    if not isinstance(required, dict):
        raise _mistyped("requirements", "an object")
    try:
        asked = Request.of({"requirements": required, "scope": members.get("scope")})
        return Request.of(
            {
                "scope": asked.scope,
                "requirements": {
                    "estimated_input_tokens": taken,
                    "estimated_output_tokens": given,
                    **required,
                    "needs": [need for need in NEEDS if need in needs or need in asked.needs],
                    "min_context": max(context, asked.min_context or 0),
                },
            }
        )
    except RequestError as error:
        name = "scope" if str(error).startswith("request.scope") else "requirements"
        raise Problem(400, "invalid_request", str(error), param=name) from None


def _listed(members: Mapping[str, Any], name: str) -> bool:
    value = members.get(name)
    if value is not None and type(value) is not list:
        raise _mistyped(name, "a list")
    return bool(value)


def _type_of_format(members: Mapping[str, Any]) -> Any:
    form = members.get("response_format")
    if form is None:
        return None
    if type(form) is not dict or type(form.get("type")) is not str:
        raise _mistyped("response_format", "an object with a type")
    return form["type"]


def _limit(members: Mapping[str, Any]) -> int | None:
    """Give how many tokens the answer may have, ``None`` where the call does not say."""
    most = None
    for name in ("max_completion_tokens", "max_tokens"):
        value = members.get(name)
        if value is None:
            continue
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:
            raise _mistyped(name, "a whole number of tokens")
        most = value if most is None else max(most, value)
    return most


def _tokens_of_input(members: Mapping[str, Any]) -> int:
    given = members.get("input")
    if type(given) is str:
        return _tokens(len(given.encode()))
    if type(given) is not list:
        raise _mistyped("input", "a string, a list of strings, or tokens")
    if all(type(token) is int for token in given):
        return len(given)
    longest = 0
    for text in given:
        if type(text) is str:
            longest = max(longest, _tokens(len(text.encode())))
        elif type(text) is list and all(type(token) is int for token in text):
            longest = max(longest, len(text))
        else:
            raise _mistyped("input", "a string, a list of strings, or tokens")
    return longest


def _tokens(length: int) -> int:
    return -(-2 * length // 7)


def _rounded(tokens: int) -> int:
    """Round up to 8, 9, … 15 times a power of two."""
    if tokens <= _LEAST_TOKENS:
        return _LEAST_TOKENS
    if tokens >= _MOST_TOKENS:
        return tokens
    shift = (tokens - 1).bit_length() - 4
    return -(-tokens >> shift) << shift


def _mistyped(name: str, what: str) -> Problem:
    return Problem(400, "invalid_request", f"{name!r} must be {what}", param=name)
