"""Listeners that let in whoever reaches them: programs of this machine, and no page in its browser.

A page from elsewhere can have a browser send requests to this machine. It cannot hide where they come from: a browser
says so under ``Origin``, and a name that was made to lead here is still what stands under ``Host``.
"""

from __future__ import annotations

import re

from tenantrank.gateway.problem import Problem
from tenantrank.gateway.reading import Scope
from tenantrank.gateway.settings import is_loopback

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]{1,5})?")


def check_near(scope: Scope) -> None:
    """Refuse a request that a page in a browser may have sent.

    Raises
    ------
    Problem
        403 ``not_permitted`` for one with an ``Origin``, or a ``Host`` that is not this machine's own
    """
    for name, value in scope["headers"]:
        if name == b"origin":
            raise Problem(403, "not_permitted", "without keys no page of a browser is let in")
        if name == b"host" and not is_loopback(_host_of(value.decode("latin-1"))):
            raise Problem(403, "not_permitted", "without keys the host must be this machine's own, as 127.0.0.1")


def _host_of(value: str) -> str:
    """Give the host without its port; what is neither a name, an address nor these in brackets is no host."""
    form = _HOST.fullmatch(value)
    return "" if form is None else form[1] or form[2]
