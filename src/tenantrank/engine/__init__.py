"""The engine: policies lowered to masks and weights, ranked by the kernels, explained from the same observations."""

from tenantrank.engine.decision import Decision
from tenantrank.engine.engine import Engine
from tenantrank.engine.explain import Clause, Explanation, Failure
from tenantrank.engine.fleet import rank_fleet
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ranked

__all__ = ["Clause", "Decision", "Engine", "Explanation", "Failure", "Ranked", "Request", "rank_fleet"]
