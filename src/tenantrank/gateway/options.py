"""What a dry run may be asked beside what a real call holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tenantrank.gateway.needs import Route
from tenantrank.gateway.problem import Problem

ROUTES: tuple[Route, ...] = ("chat", "embeddings")
"""The routes that decide."""
MOST_PLACES, MOST_REJECTED, MOST_ASKED = 1000, 200, 50


@dataclass(frozen=True, slots=True)
class RankOptions:
    """Options of a dry run.

    Attributes
    ----------
    endpoint : for which call: ``chat`` or ``embeddings``
    k : how many ranked offers are shown
    rejected : how many rejected offers are shown, by name, in catalog order
    explain : whether each of those is shown with every clause that it fails
    offers : offers to say about in particular, whether ranked or not
    """

    endpoint: Route = "chat"
    k: int = 10
    rejected: int = 20
    explain: bool = False
    offers: tuple[str, ...] = ()

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> RankOptions:
        """Read the options among a body's members.

        Raises
        ------
        Problem
            400 ``invalid_request``, naming the member
        """
        endpoint = members.get("endpoint", "chat")
        if endpoint not in ROUTES:
            raise invalid("endpoint", f"must be one of {', '.join(ROUTES)}")
        explain = members.get("explain", False)
        if not isinstance(explain, bool):
            raise invalid("explain", "must be true or false")
        offers = members.get("offers", [])
        if not isinstance(offers, list) or not all(isinstance(offer, str) for offer in offers):
            raise invalid("offers", "must be a list of offer ids")
        if len(offers) > MOST_ASKED:
            raise invalid("offers", f"must be a list of at most {MOST_ASKED}")
        k = number_of(members, "k", 10, 1, MOST_PLACES)
        return cls(endpoint, k, number_of(members, "rejected", 20, 0, MOST_REJECTED), explain, tuple(offers))


def number_of(members: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    """Read a whole number within bounds among a body's members.

    Raises
    ------
    Problem
        400 ``invalid_request``, naming the member
    """
    value = members.get(name, default)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int or not least <= value <= most:
        raise invalid(name, f"must be a whole number from {least} to {most}")
    return value


def invalid(name: str, fault: str) -> Problem:
    """Give the error of a member that is not of the documented shape; its value is not repeated."""
    return Problem(400, "invalid_request", f"{name} {fault}", param=name)


def check_known(members: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse members that a body of a fixed shape does not have.

    Raises
    ------
    Problem
        400 ``invalid_request``, with the nearest known name
    """
    for name in members:
        if name not in known:
            near = next(iter(get_close_matches(name[:100], known, n=1)), None)
            hint = f"; did you mean {near}?" if near else f"; known are {', '.join(known)}"
            raise Problem(400, "invalid_request", f"unknown member{hint}", param=name[:100])
