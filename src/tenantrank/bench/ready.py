"""What an implementation is to the suite: a call that ranks, what it is given, and a way to read its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tenantrank.bench.answers import Answers
from tenantrank.bench.workload import K, Workload

Role = Literal["engine", "baseline", "peer"]
"""``baseline``: what ratios of two runs are compared by; `tenantrank.bench.compare`."""


@dataclass(frozen=True)
class Ready:
    """An implementation made ready for one workload.

    What depends on the catalog alone, or on a policy alone, is made beforehand: columns, compiled closures, prepared
    queries. What depends on both is the work.

    Attributes
    ----------
    call : what is called and timed; plain callables of their own, one a policy, go through `operator.call`
    given : what it is given, call by call, to rank the whole workload in order: a policy each time, or all at once
    read : the calls' results to answers; not timed
    close : gives up what was held
    """

    call: Callable[[Any], Any]
    given: Sequence[Any]
    read: Callable[[list[Any]], Answers] = Answers.of
    close: Callable[[], None] = lambda: None

    def answers(self) -> Answers:
        """Rank the workload once and read the answers."""
        return self.read([self.call(each) for each in self.given])

    def run(self) -> None:
        """Rank the workload once and drop the results, as a server would that has sent them."""
        call = self.call
        for each in self.given:
            call(each)


@dataclass(frozen=True)
class Implementation:
    """One way to rank a workload.

    Attributes
    ----------
    name : what tables call it
    role : the engine itself, a baseline or another peer
    prepare : makes it ready; raises `AbsentError` where something that it needs is not here
    most : how many policies of a workload one timed pass takes
    how : how it is used and with how many threads, for the report
    k : how many offers it gives for each policy
    """

    name: str
    role: Role
    prepare: Callable[[Workload], Ready]
    most: int
    how: str
    k: int = K
