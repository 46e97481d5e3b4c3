"""The engine: policies lowered to masks and weights, ranked by the kernels, explained from the same observations."""

from tenantrank.engine.decision import Decision
from tenantrank.engine.engine import Engine
from tenantrank.engine.explain import Clause, Explanation, Failure
from tenantrank.engine.rejections import Rejections
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ranked
from tenantrank.engine.warming import is_warm, warm

__all__ = [
    "Clause",
    "Decision",
    "Engine",
    "Explanation",
    "Failure",
    "Ranked",
    "Rejections",
    "Request",
    "is_warm",
    "warm",
]
