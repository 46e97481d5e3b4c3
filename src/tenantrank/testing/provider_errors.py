"""How providers say no: status, headers and body of each, by provider and kind, after their documentation and threads.

The records are in ``provider_errors.json`` beside this module. Ids in them are made up. Where a provider repeats the
prompt or the key in its error there is a canary, so that a test finds wherever it leaks to.
"""

from __future__ import annotations

import json
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

PROMPT_CANARY = "canary-prompt-5d1c"
"""Stands where a provider repeats the prompt."""
KEY_CANARY = "sk-canary-8f3a2b"
"""Stands where a provider repeats the key."""

KINDS: MappingProxyType[str, str] = MappingProxyType(
    {
        "auth": "the credential is not accepted",
        "permission": "the credential may not do this",
        "quota": "no credit, or the plan's quota is used up: waiting does not help",
        "rate_limit": "too many requests or tokens for now",
        "context": "the request is longer than the model takes",
        "content_filter": "a filter refuses the prompt",
        "bad_request": "a member of the request is not accepted",
        "model": "there is no such model or deployment, or none that may be used",
        "server": "the fault is the provider's own",
        "overloaded": "too much is going on at the provider",
        "timeout": "the provider gave up waiting for the model",
    }
)
"""Kinds of error. Not every provider has one of each."""


class ProviderError(NamedTuple):
    """One documented way to fail."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def _load() -> MappingProxyType[str, MappingProxyType[str, ProviderError]]:
    table = json.loads(files(__package__).joinpath("provider_errors.json").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            provider: MappingProxyType(
                {
                    kind: ProviderError(
                        entry["status"], json.dumps(entry["body"]).encode(), tuple(entry.get("headers", {}).items())
                    )
                    for kind, entry in kinds.items()
                }
            )
            for provider, kinds in table.items()
        }
    )


ERRORS = _load()
"""Errors by provider, as the catalog names it, and kind."""
