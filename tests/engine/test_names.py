"""Names that occur in no offer."""

from __future__ import annotations

import tenantrank as tr
from tests.engine.samples import catalog_of, offer, policy_of


def test_unknown_names__are_those_of_no_offer_with_the_nearest() -> None:
    catalog = catalog_of(offer("a", "openai", "gpt"), offer("b", "azure", "phi", offer={"peer_id": "peer"}))
    names = ["or", ["provider_eq", "opnai"], ["family_eq", "gpt"], ["served_by_eq", "peer"], ["provider_eq", "zzz"]]
    policy = policy_of(catalog, ["and", ["provider_eq", "azure"], ["not", names]])
    assert tr.Engine(catalog).unknown_names([policy]) == {"opnai": "openai", "zzz": ""}
    engine = tr.Engine(catalog, envelope=["not", ["provider_eq", "azur"]])
    assert engine.unknown_names([]) == {"azur": "azure"}
