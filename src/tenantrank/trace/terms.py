"""Reading canonical texts of terms: the way back from what a record holds of a policy or an envelope.

A canonical text is a version, a colon, and a term: an op and its arguments in parentheses, with one space between them;
an argument is a term, or plain data written as JSON. Source: the language's specification, section 3.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tenantrank.errors import TenantrankError, TraceError
from tenantrank.policy.normal_form import normalize
from tenantrank.policy.policy import Policy, Term, admit, admit_term
from tenantrank.policy.signature import MAX_DEPTH, V1, V2, VERSIONS, Fields, Version

_OP = re.compile(r"\(([a-z0-9_]+)")
# Every number is a double. A canonical text escapes five characters only, so that it may hold others that JSON escapes.
_NO_FIELDS = Fields()
_DATA = json.JSONDecoder(parse_int=float, strict=False)


def term_of(encoding: str, fields: Fields) -> Term:
    """Give the admitted term of any sort that a canonical text stands for.

    Raises
    ------
    TraceError
        for what is no canonical text of a term that these fields admit
    """
    version, value = _read(encoding)
    term: Term = _admitted(encoding, lambda: admit_term(value, fields, version))
    return term


def policy_of(encoding: str, fields: Fields) -> Policy:
    """Give the policy that a canonical text stands for; errors as `term_of`."""
    version, value = _read(encoding)
    policy: Policy = _admitted(encoding, lambda: admit(value, fields, version))
    return policy


def readable(encoding: str) -> Any:
    """Give the term that a canonical text stands for, to be described: whatever fields it names.

    A policy where the text is one, else a Pred. It is no admitted term, and must not be ranked by.

    Raises
    ------
    TraceError
        for what is no canonical text in normal form
    """
    version, value = _read(encoding)
    known: Version = V1 if version == V1 else V2
    try:
        root = normalize(value, known)
    except (TenantrankError, TypeError, ValueError, KeyError, IndexError) as error:
        raise TraceError(f"a recorded term cannot be read: {error}", "unreadable") from None
    kind, sort = (Policy, "Policy") if value[0] == "policy" else (Term, "Pred")
    return _admitted(encoding, lambda: kind(known, sort, root, _NO_FIELDS))


def _admitted(encoding: str, admitted: Any) -> Any:
    try:
        term = admitted()
    except TenantrankError as error:
        raise TraceError(f"a recorded term cannot be admitted: {error}") from None
    if term.encoding != encoding:
        raise TraceError("a recorded term is not in normal form", "unreadable")
    return term


def _read(encoding: str) -> tuple[str, Any]:
    if not isinstance(encoding, str):
        raise TraceError(f"a recorded term is a {type(encoding).__name__}, not a text", "unreadable")
    version, _, text = encoding.partition(":")
    if version not in VERSIONS:
        raise TraceError(f"a recorded term is of version {version[:40]!r}, which is not known", "unreadable")
    try:
        value, end = _subterm(text, 0, 0)
    except (ValueError, IndexError, RecursionError) as error:
        raise TraceError(f"a recorded term is no canonical text: {error}", "unreadable") from None
    if end != len(text):
        raise TraceError("a recorded term is no canonical text: more follows its end", "unreadable")
    return version, value


def _subterm(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    found = _OP.match(text, at)
    if found is None or depth > MAX_DEPTH:
        raise ValueError(f"no term at {at}")
    term: list[Any] = [found.group(1)]
    at = found.end()
    while text[at] == " ":
        if text[at + 1] == "(":
            value, at = _subterm(text, at + 1, depth + 1)
        else:
            value, at = _DATA.raw_decode(text, at + 1)
        term.append(value)
    if text[at] != ")":
        raise ValueError(f"no end of a term at {at}")
    return term, at + 1
