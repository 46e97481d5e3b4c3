"""The normal form of an admitted term: the one spelling that stands for all spellings of the same structure.

Source: the language's specification, section 2. A term is rebuilt from its leaves up, its encoding along with it, since
the children of `and`, `or`, `add` and `ev_add` are ordered by their encodings.
"""

from __future__ import annotations

from typing import Any

from tenantrank.errors import PolicyError
from tenantrank.policy.node import Node as Node
from tenantrank.policy.one_pass import read_term
from tenantrank.policy.rewrites import gathered
from tenantrank.policy.signature import VERSIONS, Version
from tenantrank.policy.vocabulary import Vocabulary

_ANY_NAMES = {version: Vocabulary(None, version) for version in VERSIONS}


def normalize(term: list[Any], version: Version) -> Node:
    """Rewrite an admitted term into normal form.

    The term must have been admitted in this version; it is not changed. Idempotent:
    ``normalize(normalize(t).term()) == normalize(t)``.
    """
    found = read_term(term, _ANY_NAMES[version])
    if found is None:
        raise PolicyError("$", "expected an admitted term")
    return found[0]


def clauses_of(condition: Node) -> tuple[Node, ...]:
    """Give the clauses of a Pred in normal form that must all hold, in the order in which they are tried."""
    children: tuple[Node, ...] = condition[2]
    return children if condition[0] == "and" else (condition,)


def conjunction(nodes: list[Node]) -> Node:
    """Give the normal form of the `and` of nodes that are in normal form already; of none, `top`."""
    return gathered("and", nodes)
