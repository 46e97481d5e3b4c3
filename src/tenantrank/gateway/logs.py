"""The log: one line of JSON for each request and for each thing that happens to the gateway. No bodies, no keys."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any, Protocol

from tenantrank.gateway.plain import LONGEST, clipped, json_line
from tenantrank.gateway.records import DecisionRecord


class Stream(Protocol):
    """Where lines go: an open text file."""

    def write(self, text: str, /) -> Any:
        """Take a line, its end included."""

    def flush(self) -> Any:
        """Hand on what was written."""


def utc_now() -> datetime:
    """Give the moment."""
    return datetime.now(UTC)


class Log:
    """Writes lines of JSON. A log that cannot be written never fails a request: its lines are counted as lost.

    Parameters
    ----------
    stream
        an open text file; by default standard error. ``None`` writes nothing
    wall
        gives the moment, in UTC, for events

    Attributes
    ----------
    lost : how many lines could not be written
    """

    def __init__(self, stream: Stream | None = sys.stderr, wall: Callable[[], datetime] = utc_now) -> None:
        self._stream = stream
        self._wall = wall
        self.lost = 0

    def request(self, record: DecisionRecord) -> None:
        """Write the line of a finished request."""
        if self._stream is None:
            return
        rule = record.rule
        began = record.began.isoformat(timespec="milliseconds")
        # Written out, since this is done for every request: the general way takes twice as long.
        line = (
            f'{{"time":"{began}","event":"request","trace_id":{_text(record.trace_id)},"route":{_text(record.route)},'
            f'"status":{record.status:d},"outcome":{_text(record.outcome)},"caller":{_text(record.caller)},'
            f'"attempts":{len(record.attempts):d},"retries":{record.retries:d},"fallbacks":{record.fallbacks:d},'
            f'"stream":{"true" if record.stream else "false"}'
        )
        texts = {
            "code": record.code,
            "tenant": record.tenant,
            "label": record.label,
            "rule": None if rule is None else rule.source,
            "fingerprint": None if rule is None else rule.fingerprint,
            "catalog": None if record.catalog_id is None else record.catalog_id[:12],
            "offer": record.chosen,
            "provider": record.provider,
            "cut": record.cut,
            "broke": record.broke,
        }
        line += "".join([f',"{name}":{_text(text)}' for name, text in texts.items() if text is not None])
        numbers = {
            "tokens_in": record.tokens_in,
            "tokens_out": record.tokens_out,
            "decision_us": record.decision_us,
            "first_byte_ms": record.first_byte_ms,
            "total_ms": record.total_ms,
            "added_ms": record.added_ms,
        }
        line += "".join([f',"{name}":{_number(value)}' for name, value in numbers.items() if value is not None])
        if len(record.attempts) > 1 or record.chosen is None:
            kinds = [_text(attempt.kind) for attempt in record.attempts[:16] if attempt.kind is not None]
            line += f',"failures":[{",".join(kinds)}]'
        self._write(f"{line}}}")

    def event(self, event: str, **details: str | int | float | bool | None) -> None:
        """Write the line of something that happened to the gateway itself, as ``reloaded``; texts are cut short.

        Details that are ``None`` are left out.
        """
        if self._stream is None:
            return
        shown = {
            name: clipped(value, 1000) if isinstance(value, str) else value
            for name, value in details.items()
            if value is not None
        }
        self._write(json_line({"time": self._wall().isoformat(timespec="milliseconds"), "event": event, **shown}))

    def _write(self, line: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # a full disk, a reader that went away, a file that was closed
            self.lost += 1


def _text(text: str) -> str:
    """Write a text as JSON: bounded, in visible ASCII."""
    written = encode_basestring_ascii(text if len(text) <= LONGEST else clipped(text))
    return written.replace("\x7f", "\\u007f") if "\x7f" in written else written


def _number(number: float) -> str:
    if isinstance(number, int):
        return f"{number:d}"
    return f"{number:.3f}" if isfinite(number) else "null"
