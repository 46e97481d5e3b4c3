"""A mock provider for testing policies, failure plans and clients over real sockets, with the standard library alone.

`MockProvider` answers as an OpenAI-compatible provider does, records every byte it gets, and fails on script; `faults`
has the ways to fail, `ERRORS` each provider's own words for it, `simulated` providers that stream at a plausible pace.
"""

from tenantrank.testing import faults
from tenantrank.testing.mock import MockProvider
from tenantrank.testing.provider_errors import ERRORS, KEY_CANARY, PROMPT_CANARY
from tenantrank.testing.recorded import Recorded
from tenantrank.testing.reply import Reply, ToolCall
from tenantrank.testing.running import running
from tenantrank.testing.simulated import Pace, simulated

__all__ = [
    "ERRORS",
    "KEY_CANARY",
    "PROMPT_CANARY",
    "MockProvider",
    "Pace",
    "Recorded",
    "Reply",
    "ToolCall",
    "faults",
    "running",
    "simulated",
]
