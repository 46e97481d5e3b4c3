"""The body of a call: read strictly, and sent on as the client's own bytes with only what must change changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from tenantrank.gateway.members import GATEWAY_MEMBERS, REROUTING
from tenantrank.gateway.nesting import MAX_NESTING, is_nested_deeper
from tenantrank.gateway.problem import Problem
from tenantrank.gateway.scanning import FaultError, Span, scan
from tenantrank.policy.stack import whatever_the_stack

__all__ = ["GATEWAY_MEMBERS", "Body"]

MAX_BYTES = 32 * 1024 * 1024
"""Longest body read unless the caller says otherwise."""
MAX_VALUES = 400_000
"""Most values of a body, by its commas and opening brackets: to read more would keep other calls waiting."""
_FEW_BYTES = 256 * 1024

_NONE: Mapping[str, Any] = MappingProxyType({})
_FIXED = GATEWAY_MEMBERS | REROUTING | {"_filters", "model", "stream"}
"""Members that no transform of a policy may change."""


class Body:
    """One call's body, a JSON object.

    Attributes
    ----------
    members : its members as JSON values, in their order, the gateway's own among them
    """

    __slots__ = ("_opened", "_raw", "_spans", "members")

    def __init__(self, raw: bytes, members: dict[str, Any], spans: dict[str, Span], opened: int) -> None:
        """Hold what `read` found."""
        self.members = members
        self._raw = raw
        self._opened = opened
        self._spans = spans

    @classmethod
    def read(cls, raw: bytes, most: int = MAX_BYTES) -> Body:
        """Read a body.

        Parameters
        ----------
        raw
            the bytes as they came, without any content coding
        most
            how many of them are read

        Raises
        ------
        Problem
            413 ``body_too_large``; 400 ``invalid_json`` for bytes that are not UTF-8 or not one JSON object, for a key
            given twice in one object (however it is escaped, at any depth), NaN, Infinity, a number beyond the doubles,
            a lone surrogate, a parameter that is an integer beyond 64 bits, an integer beyond ±(2^53 − 1) in one of
            `GATEWAY_MEMBERS`, or more than 128 levels. No message holds anything of the body
        """
        if len(raw) > most:
            raise Problem(413, "body_too_large", f"the body is longer than {most} bytes")
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            raise _invalid("not UTF-8") from None
        if is_nested_deeper(raw):
            raise _invalid(f"nested deeper than {MAX_NESTING} levels")
        if len(raw) > _FEW_BYTES and sum(map(raw.count, (b",", b"[", b"{"))) > MAX_VALUES:
            raise _invalid(f"more than {MAX_VALUES} values")
        try:
            return whatever_the_stack(lambda: cls(raw, *scan(text)))
        except json.JSONDecodeError as error:
            raise _invalid(f"it stops being JSON at character {error.pos}") from None
        except FaultError as fault:
            raise _invalid(str(fault)) from None
        except UnicodeEncodeError:
            raise _invalid("a string with a lone surrogate, which no UTF-8 text holds") from None
        except RecursionError:
            raise _invalid("nested too deeply") from None
        except ValueError:  # an integer of more digits than Python reads
            raise _invalid("a number of too many digits") from None

    @property
    def model(self) -> str:
        """The member ``model``: a label where a policy decides.

        Raises
        ------
        Problem
            400 ``invalid_request`` where it is missing or no string with something in it
        """
        model = self.members.get("model")
        if type(model) is str and model:
            return model
        raise _mistyped("model", "a string")

    @property
    def stream(self) -> bool:
        """Whether the answer is to come in pieces; problems as `model`."""
        return self._flag("stream")

    @property
    def wants_record(self) -> bool:
        """Whether the answer is to hold a record of the decision (``x_router``); problems as `model`."""
        return self._flag("x_router")

    def _flag(self, name: str) -> bool:
        value = self.members.get(name)
        if value is None or type(value) is bool:
            return bool(value)
        raise _mistyped(name, "true or false")

    @property
    def forwarded(self) -> dict[str, Any]:
        """The members that are sent on: what transforms are applied to."""
        return {name: value for name, value in self.members.items() if name not in GATEWAY_MEMBERS}

    def text_of(self, name: str) -> bytes | None:
        """Give a member's value as the bytes that came, ``None`` where there is no such member."""
        span = self._spans.get(name)
        return None if span is None else self._raw[span[1] : span[2]]

    def length_of(self, *names: str) -> int:
        """Give how many bytes the values of these members have; none where there is no such member."""
        length = 0
        for name in names:
            span = self._spans.get(name)
            if span is not None:
                length += span[2] - span[1]
        return length

    def difference(self, after: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
        """Tell what transforms did to `forwarded`, as `outgoing` takes it: members to write, names to leave out.

        Raises
        ------
        Problem
            400 ``invalid_policy`` where they changed ``model``, ``stream``, a member that the gateway reads or refuses,
            or left filters for a host that has none
        """
        before = self.members
        changes = {name: value for name, value in after.items() if name not in before or not _same(before[name], value)}
        removed = frozenset(before.keys() - after.keys() - GATEWAY_MEMBERS)
        for name in (*changes, *removed):
            if name in _FIXED:
                raise Problem(400, "invalid_policy", f"no transform may change {name!r}", param="policy_ir")
        return changes, removed

    def outgoing(self, model: str, changes: Mapping[str, Any] = _NONE, removed: Collection[str] = ()) -> bytes:
        """Give the bytes to send on.

        Parameters
        ----------
        model
            what ``model`` becomes; it is added where the client gave none
        changes
            members to write instead of the client's, or to add at the end. One of the gateway's own names is sent only
            where it is among these: it is then the gateway's word, not the client's
        removed
            further members to leave out; a name that is also among the changes is written

        Returns
        -------
        the client's bytes without `GATEWAY_MEMBERS`, every other member in its place and byte for byte as it came

        Raises
        ------
        Problem
            400 ``invalid_policy`` where a change is no JSON value, such as a number that a transform made infinite
        """
        view, written = memoryview(self._raw), dict(changes) if changes else {}
        written["model"] = model
        dropped = GATEWAY_MEMBERS if not removed else GATEWAY_MEMBERS.union(removed)
        parts: list[bytes | memoryview] = []
        # From `run` on the bytes are still to be copied; `leading` while no member is kept. One that is dropped goes
        # with the comma before it, or, while it leads, with the one behind it.
        run, ended, leading, behind = 0, self._opened, True, False
        for name, (name_at, value_at, value_end) in self._spans.items():
            if behind:
                run, behind = name_at, False
            if name in written:
                parts += (view[run:value_at], _text_of(name, written.pop(name)))
                run, leading = value_end, False
            elif name in dropped:
                parts.append(view[run : name_at if leading else ended])
                run, behind = value_end, leading
            else:
                leading = False
            ended = value_end
        parts.append(view[run:ended])
        for name, value in written.items():
            parts += (b"" if leading else b",", _write(name).encode(), b":", _text_of(name, value))
            leading = False
        parts.append(b"}")
        return b"".join(parts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.members)} members>"


_write = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def _text_of(name: str, value: Any) -> bytes:
    try:
        return _write(value).encode()
    except (TypeError, ValueError, RecursionError):
        shown = repr(name[:64])
        raise Problem(400, "invalid_policy", f"what the transforms make of {shown} is no JSON value") from None


def _same(before: Any, after: Any) -> bool:
    """Tell whether two JSON values are written alike: 1, 1.0 and true are three values."""
    if before is after:
        return True
    if type(before) is not type(after):
        return False
    if type(before) is dict:
        return before.keys() == after.keys() and all(_same(value, after[name]) for name, value in before.items())
    if type(before) is list:
        return len(before) == len(after) and all(map(_same, before, after))
    return bool(before == after)


def _invalid(what: str) -> Problem:
    return Problem(400, "invalid_json", f"the body cannot be read: {what}")


def _mistyped(name: str, what: str) -> Problem:
    return Problem(400, "invalid_request", f"{name!r} must be {what}", param=name)
