"""Which offers pass for whom, over the distinct policies of a fleet: what any tenant may use, and who hangs on one
provider.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tenantrank.report.outcomes import Outcomes


@dataclass(frozen=True, eq=False)
class Reach:
    """What passes.

    Attributes
    ----------
    usable : (offers,) whether the offer passes the filter of at least one tenant
    one_provider : (n,) whether something passes for the tenant and all of that is served by one provider
    """

    usable: NDArray[np.bool_]
    one_provider: NDArray[np.bool_]


def reach_of(outcomes: Outcomes) -> Reach:
    """Find what passes, for each distinct policy once."""
    engine = outcomes.engine
    providers, _ = engine.catalog.strings("provider_id")
    policies, index = outcomes.fleet.by_identity()
    usable = np.zeros(len(engine.catalog), dtype=bool)
    single = np.zeros(len(policies) + 1, dtype=bool)
    for at, policy in enumerate(policies):
        rejections = engine.rejections(policy)
        passing = rejections.first == len(rejections.clauses)
        usable |= passing
        served_by = providers[passing]
        single[at] = len(served_by) > 0 and bool((served_by == served_by[0]).all())
    # The last is that of tenants without a policy, whose index is −1.
    return Reach(usable, single[index])
