"""Conditions by themselves: which offers satisfy each, without a policy around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tenantrank.engine.clauses import clause_masks
from tenantrank.engine.request import Request
from tenantrank.policy.normal_form import Node
from tenantrank.policy.signature import Version
from tenantrank.policy.stack import whatever_the_stack

if TYPE_CHECKING:
    from tenantrank.engine.generation import Generation


def holding(now: Generation, conditions: Sequence[Node], version: Version, request: Request) -> NDArray[np.bool_]:
    """Say which offers satisfy each of several Preds in normal form, (conditions, offers), in catalog order.

    The operator's envelope has no part in it.
    """
    tokens = next((found for each in conditions if (found := now.tokens_for(each, request)) is not None), None)
    view = now.view(version, tokens)
    return view.index.unpack(whatever_the_stack(lambda: clause_masks(conditions, view, request)))
