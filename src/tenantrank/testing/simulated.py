"""Several providers behind one socket, with text that streams at a plausible pace: for demonstrations, without keys."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from tenantrank.testing.mock import MockProvider
from tenantrank.testing.recorded import Recorded
from tenantrank.testing.reply import Reply

_OPENINGS = (
    "This is a simulated answer: no model was asked, and nothing left this machine.",
    "Nobody was called for this answer; it is simulated, so that a route can be watched from end to end.",
    "A simulated provider says this. Its words mean nothing; where they come from is what counts.",
)
_MIDDLES = (
    "A real {model} at {name} would now answer what was asked.",
    "The rule that came with the call ranked the offers, and {model} at {name} was the one that answered.",
    "The call went to {name}, for {model}, because the rule allowed it and nothing better was up.",
)
_ENDINGS = (
    "Its tokens come at about {pace} a second, as they might from there.",
    "Try a stricter rule, and another provider may answer, or none: then the clauses that left nothing are named.",
    "The trace of this call says which rule decided, and why each other offer did not.",
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a simulated provider is.

    Attributes
    ----------
    first_s : time to the first token, in seconds
    tok_s : tokens a second after it
    spread : how much both differ from call to call, as a part of 1
    fault_rate : part of the calls that are answered with status 503 instead
    """

    first_s: float = 0.25
    tok_s: float = 80.0
    spread: float = 0.3
    fault_rate: float = 0.0


def simulated(paces: Mapping[str, Pace], *, seed: int = 0, keep: int = 100, port: int = 0) -> MockProvider:
    """Make a mock provider that stands for several, each below a path of its own (`MockProvider.url_of`).

    Parameters
    ----------
    paces
        by name of the provider; a path with another name is answered with 404
    seed
        decides texts, paces and faults, for the same calls in the same order
    keep
        how many requests are remembered at most
    port
        where it listens; 0 takes a free one
    """
    drawn = random.Random(seed)

    def respond(recorded: Recorded) -> Reply:
        name = recorded.path.split("/")[1]
        pace = paces.get(name)
        if pace is None:
            return Reply(status=404)
        if drawn.random() < pace.fault_rate:
            return Reply(status=503)
        factor = 1.0 + drawn.uniform(-pace.spread, pace.spread)
        body = recorded.json if isinstance(recorded.json, dict) else {}
        parts = [drawn.choice(texts) for texts in (_OPENINGS, _MIDDLES, _ENDINGS)]
        text = " ".join(parts).format(name=name, model=body.get("model", "a model"), pace=round(pace.tok_s))
        # What has a form, or calls a function, is not free text.
        is_free = not body.get("response_format") and body.get("tool_choice") in (None, "auto", "none")
        first_s = pace.first_s * factor
        if not body.get("stream"):
            return Reply(text=text if is_free else None, head_after_s=first_s + len(text.split()) / pace.tok_s)
        return Reply(text=text if is_free else None, head_after_s=first_s, each_s=1.0 / (pace.tok_s * factor))

    return MockProvider(respond=respond, keep=keep, port=port)
