"""The engine: policies lowered to masks and weights, ranked by the kernels, explained from the same observations."""

from tenantrank.engine.accepted import Accepted, Selection
from tenantrank.engine.atoms import Atom
from tenantrank.engine.decision import Decision
from tenantrank.engine.engine import Engine
from tenantrank.engine.explain import Explanation
from tenantrank.engine.failures import Clause, Failure, Met
from tenantrank.engine.observed import Observed
from tenantrank.engine.rejections import Rejections
from tenantrank.engine.request import Request
from tenantrank.engine.running import Ranked
from tenantrank.engine.score_parts import ScorePart
from tenantrank.engine.warming import is_warm, warm

__all__ = [
    "Accepted",
    "Atom",
    "Clause",
    "Decision",
    "Engine",
    "Explanation",
    "Failure",
    "Met",
    "Observed",
    "Ranked",
    "Rejections",
    "Request",
    "ScorePart",
    "Selection",
    "is_warm",
    "warm",
]
