"""One thing left out of a tenant's policy: what wins then, and by how much what wins now costs more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from tenantrank.catalog.costs import Tokens
from tenantrank.whatif.winner import Winner, difference, per_million


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What leaving one thing out does to one tenant.

    Attributes
    ----------
    now : the winner with it
    without : the winner without it; ``None`` where it was not left out
    tokens : the mix that costs are for
    """

    now: Winner
    without: Winner | None
    tokens: Tokens

    @property
    def changes(self) -> bool:
        """Whether something else wins without it, or something or nothing where it is the other way about now."""
        return self.without is not None and self.without.offer_id != self.now.offer_id

    @property
    def gains(self) -> bool:
        """Whether nothing wins now and something does without it: what it costs is then undefined."""
        return self.changes and self.now.offer_id is None

    @property
    def more(self) -> int | None:
        """How many more offers pass without it."""
        return None if self.without is None else self.without.survivors - self.now.survivors

    @property
    def difference(self) -> float | None:
        """USD a call, cost with it minus cost without; 0 where the same offer wins, whatever that costs. ``None`` where
        it was not left out, where nothing wins with it or without it, and where another offer wins and a cost is
        unknown.
        """
        return None if self.without is None else difference(self.now, self.without)

    @property
    def difference_per_million(self) -> float | None:
        """The same in USD per 1M tokens of the mix."""
        return per_million(self.difference, self.tokens)


_Left = TypeVar("_Left", bound=LeftOut)


def dearest(left_out: Iterable[_Left]) -> list[_Left]:
    """Sort what was left out: first what alone leaves the tenant without an offer, then by known difference, greatest
    first, then where that is unknown, then what was not left out; ties as given.
    """

    def key(one: LeftOut) -> tuple[int, float]:
        if one.gains:
            return 0, 0.0
        if one.difference is None:
            return 2 if one.without is not None else 3, 0.0
        return 1, -one.difference

    return sorted(left_out, key=key)
