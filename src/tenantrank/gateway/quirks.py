"""Quirks: where a provider's OpenAI-compatible interface is not OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


def _none() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Quirks:
    """What to change in a request for one provider, and what to expect of its streams.

    Attributes
    ----------
    renamed : members by the name that the provider knows them by
    dropped : members that the provider refuses, without a counterpart
    kept_by_request : members that make the provider keep content; without retention they are not sent
    no_retention : members that say on the wire that nothing may be kept; of records, each entry
    done : whether a complete stream ends with ``data: [DONE]``
    include_usage : whether ``stream_options.include_usage`` is accepted
    """

    renamed: Mapping[str, str] = field(default_factory=_none)
    dropped: frozenset[str] = frozenset()
    kept_by_request: frozenset[str] = frozenset({"store", "prompt_cache_retention"})
    no_retention: Mapping[str, Any] = field(default_factory=_none)
    done: bool = True
    include_usage: bool = True


def adapted(
    members: Mapping[str, Any], quirks: Quirks, *, no_retention: bool = False, usage: bool = False
) -> tuple[dict[str, Any], frozenset[str]]:
    """Give what must change in a body for one provider: members to set, and members to remove.

    Parameters
    ----------
    members
        the body's top-level members
    no_retention
        whether the decision needs that nothing is kept. What the provider offers on the wire is then set, and what
        asks it to keep content is removed.
    usage
        whether a stream is to end with the tokens used; changes nothing where the body says so itself, where it is no
        stream, and where the provider does not accept it
    """
    changes: dict[str, Any] = {}
    removed: set[str] = set()
    for name, known_as in quirks.renamed.items():
        if name in members:
            removed.add(name)
            if known_as not in members:
                changes[known_as] = members[name]
    removed.update(name for name in quirks.dropped if name in members)
    options = members.get("stream_options")
    if not quirks.include_usage:
        if options is not None:
            removed.add("stream_options")
    elif usage and members.get("stream") is True and not (isinstance(options, dict) and "include_usage" in options):
        changes["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    if no_retention:
        removed.update(name for name in quirks.kept_by_request if name in members)
        for name, value in quirks.no_retention.items():
            changes[name] = {**changes.get(name, {}), **value} if isinstance(value, Mapping) else value
    return changes, frozenset(removed - set(changes))
