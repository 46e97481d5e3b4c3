"""Reading a provider's errors: which kind of failure an answer or an exception is.

The tables are in `tenantrank.gateway.signs`. Nothing that a provider wrote is repeated, since it may hold the prompt or
the key: a message is made of fixed words, the status, and the provider's error code where that is a plain identifier.
"""

from __future__ import annotations

import math
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from pydantic_core import from_json

from tenantrank.gateway.failure import KINDS, Failure
from tenantrank.gateway.signs import BY_STATUS, SIGNS, is_known

LONGEST_WAIT_S = 86_400.0
"""What a provider's wish to wait is cut to."""
_READ = 65_536
_MATCHED = 4_096
_SEARCHED = 256
_CODE = re.compile(r"[a-z0-9_.-]{1,64}")
_WORDS_ONLY = re.compile(r"[a-z]+(?:[_.-][a-z]+){0,8}|[0-9]{1,4}")
_ASKED = re.compile(r"(?:try again in|retry (?:after|in)) (\d{1,6}(?:\.\d{1,6})?) ?(ms|s)\b")
_BEGUN = frozenset({408, 500, 502, 504, 520, 522, 524})


def failure_of_answer(
    kind: str, status: int, headers: Mapping[str, str], body: bytes, now: datetime | None = None
) -> Failure:
    """Classify an answer that is no success.

    Parameters
    ----------
    kind
        the endpoint's: some providers mean something of their own by a status
    status
        of HTTP; 200 for an error inside a success, where the error itself may name another
    headers
        of the answer, by lower-case name or case-insensitive
    body
        what was read of it, which may be cut or no JSON
    now
        for a ``retry-after`` that is a date; the present by default
    """
    record: Any = None
    if body and len(body) <= _READ:
        with suppress(ValueError):
            record = from_json(body, allow_inf_nan=False)
    return failure_of_error(kind, record, status, headers, now)


def failure_of_error(
    kind: str,
    record: Any,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    now: datetime | None = None,
) -> Failure:
    """Classify the record of an error, as from the middle of a stream; the other parameters are `failure_of_answer`'s.

    Any JSON value will do.
    """
    if isinstance(record, list):  # as Google's does
        record = record[0] if record else None
    error = record.get("error", record) if isinstance(record, dict) else record
    if status < 400:
        status = _status_inside(error) or status
    codes = list(_codes(record, error))
    if headers is not None and (named := headers.get("x-amzn-errortype")):
        codes.append(re.split("[:#]", named.lower(), maxsplit=1)[0][:64])
    found = _found(kind, status, frozenset(codes), _text(record, error))
    said = [codes[at] for at in range(len(codes)) if _is_shown(codes[at])]
    at = f", status {status}" if status >= 300 and status != 200 else ""
    message = f"{KINDS[found[0]]}{at}" + (f", code {said[0]}" if said else "")
    return Failure(
        found[0],
        message,
        status=status,
        retry_after_s=_retry_after(headers or {}, record, error, now),
        accepted=status in _BEGUN or status < 300,
        scope=found[1],
    )


def failure_of_exception(error: BaseException) -> Failure:
    """Classify what the HTTP client raised; the text of an exception, which may hold the URL, is not repeated."""
    for types, kind, accepted, words in _EXCEPTIONS:
        if isinstance(error, types):
            return Failure(kind, words, accepted=accepted)
    return Failure("unknown", f"the call failed with {type(error).__name__}", accepted=True)


_EXCEPTIONS: tuple[tuple[tuple[type[BaseException], ...], str, bool, str], ...] = (
    ((aiohttp.ConnectionTimeoutError,), "timeout", False, "no connection in time"),
    ((TimeoutError,), "timeout", True, "no answer in time"),
    ((aiohttp.ClientConnectorDNSError,), "network_error", False, "the provider's host was not found"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "network_error", False, "the provider's certificate or TLS is not valid"),
    ((aiohttp.ClientConnectorError,), "network_error", False, "no connection to the provider"),
    ((aiohttp.ClientResponseError,), "bad_response", True, "the answer is not HTTP as it should be"),
    ((aiohttp.ClientPayloadError,), "network_error", True, "the connection broke before the answer was complete"),
    ((aiohttp.ClientConnectionError, OSError), "network_error", True, "the connection broke before an answer"),
)


def _found(kind: str, status: int, codes: frozenset[str], text: str) -> tuple[str, str]:
    for sign in SIGNS:
        if sign.matches(kind, status, codes, text):
            return sign.failure, sign.scope
    if status in BY_STATUS:
        return BY_STATUS[status]
    if 200 < status < 400:
        return "bad_response", "provider"
    if 400 <= status < 500:
        return "bad_request", "provider"
    # An error inside a success that names nothing known is the provider's own.
    return ("server_error", "provider") if status >= 500 or status == 200 else ("unknown", "provider")


def _status_inside(error: Any) -> int | None:
    if isinstance(error, dict):
        for name in ("code", "status", "status_code", "raw_status_code"):
            value = error.get(name)
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 3:
                value = int(value)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return value
    return None


def _codes(record: Any, error: Any) -> Iterator[str]:
    """Give what may be an error's code, the most telling first, in lower case."""
    places = [error, record if record is not error else None]
    if isinstance(error, dict):
        places[1:1] = [error.get("innererror"), error.get("metadata"), error.get("details")]
        if isinstance(error.get("details"), list):
            places.extend(error["details"][:8])
    for place in places:
        if isinstance(place, dict):
            for name in ("code", "error_code", "error_type", "reason", "type", "status", "__type"):
                value = place.get(name)
                if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 100_000:
                    value = str(value)
                if isinstance(value, str) and len(value) <= 64:
                    yield value.lower().rpartition("#")[2]


def _text(record: Any, error: Any) -> str:
    """Give what an error says in words, only to be searched."""
    if isinstance(error, str):
        return error[:_MATCHED].lower()
    parts: list[str] = []
    for place in (error, record if record is not error else None):
        if isinstance(place, dict):
            for name in ("message", "detail", "Message"):
                value = place.get(name)
                if isinstance(value, str):
                    parts.append(value[:_MATCHED])
                elif isinstance(value, dict | list):
                    parts.append(repr(value)[:_MATCHED])
            metadata = place.get("metadata")
            if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
                parts.append(metadata["raw"][:_MATCHED])
    return " ".join(parts).lower()


def _is_shown(code: str) -> bool:
    # A code that is not in the tables is shown where it is plain words or a short number: a key is neither.
    return bool(_CODE.fullmatch(code)) and (is_known(code) or bool(_WORDS_ONLY.fullmatch(code)))


def _retry_after(headers: Mapping[str, str], record: Any, error: Any, now: datetime | None) -> float | None:
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (given := headers.get(name)) is not None and (wait := _seconds(given, 1000.0)) is not None:
            return wait
    given = headers.get("retry-after")
    if given is not None:
        wait = _seconds(given, 1.0)
        return wait if wait is not None else _until(given, now)
    if isinstance(error, dict) and isinstance(error.get("details"), list):
        for detail in error["details"][:8]:
            delay = detail.get("retryDelay") if isinstance(detail, dict) else None
            if isinstance(delay, str) and delay.endswith("s"):
                return _seconds(delay[:-1], 1.0)
    asked = _ASKED.search(_text(record, error)[: _SEARCHED * 4])
    return _seconds(asked[1], 1000.0 if asked[2] == "ms" else 1.0) if asked else None


def _seconds(text: str, divisor: float) -> float | None:
    """Read a wait; nothing that is negative, not a number or not written as one."""
    if len(text) > 32:
        return None
    try:
        value = float(text) / divisor
    except ValueError:
        return None
    return min(value, LONGEST_WAIT_S) if 0 <= value < math.inf else None


def _until(text: str, now: datetime | None) -> float | None:
    if len(text) > 64:
        return None
    try:
        then = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    then = then if then.tzinfo is not None else then.replace(tzinfo=UTC)
    wait = (then - (now or datetime.now(UTC))).total_seconds()
    return min(wait, LONGEST_WAIT_S) if wait >= 0 else None
