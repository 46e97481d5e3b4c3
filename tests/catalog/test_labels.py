"""Labels written by hand: the documented ones pass, the others are refused with what was probably meant."""

from datetime import date

import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.labels import check_label
from tenantrank.catalog.schema import LABELS
from tenantrank.errors import CatalogError

TODAY = date(2026, 11, 23)
TIERS = ("fallback", "marketplace", "partner")
OFFER = {"id": "x", "provider_id": "p", "model_family": "m"}
VOUCHED = {"contract": "c", "verified_at": "2026-09-01"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("status", "Deprecated", "one of alpha, beta, deprecated, got 'Deprecated', did you mean 'deprecated'?"),
        ("mode", "chats", "one of chat, completion, responses, got 'chats', did you mean 'chat'?"),
        ("tier", "partnr", "one of fallback, marketplace, partner, got 'partnr', did you mean 'partner'?"),
        ("zdr", "selfserve", "approval, none, got 'selfserve', did you mean 'self_serve'?"),
        ("trains_on_data", "never", "one of no, yes, tier_dependent, upstream_dependent, got 'never'"),
        ("region_scope", "single-region", "geo, global, got 'single-region', did you mean 'single_region'?"),
        ("zdr", "", "got ''"),
    ],
)
def test_overlay__takes_documented_labels_only(name, value, words):
    with pytest.raises(CatalogError) as caught:
        check_label(name, value, TIERS)
    assert str(caught.value).startswith("expected one of ")
    assert str(caught.value).endswith(words)
    catalog = Catalog.from_records([OFFER])
    entries = ({"match": {"offer_id": "x"}}, {"like": "x", "offer_id": "y"})
    for key, entry in zip(("attestations", "offers"), entries, strict=True):
        with pytest.raises(CatalogError) as caught:
            catalog.with_overlay({"name": "acme", key: [entry | VOUCHED | {"set": {name: value}}]}, TODAY)
        assert str(caught.value).startswith(f"overlay acme: {key}[0].set.{name}: expected one of ")


def test_check_label__passes_known_labels_nulls_and_other_columns():
    for name, labels in LABELS.items():
        for label in (*labels, None):
            check_label(name, label, TIERS)
    for name, text in (("tier", ""), ("tier", None), ("tier", "partner"), ("lab", "Anything"), ("scope", "")):
        check_label(name, text, TIERS)


def test_overlay__takes_the_tiers_of_the_order_and_declared_kinds():
    catalog = Catalog.from_records([OFFER], {"zdr": {"sort": "Num"}}, tier_order=["low", "high"])

    def laid(values):
        return catalog.with_overlay({"attestations": [{"match": {"offer_id": "x"}, "set": values} | VOUCHED]}, TODAY)

    with pytest.raises(CatalogError, match=r"expected one of low, high, got 'partner'$"):
        laid({"tier": "partner"})
    after = laid({"tier": "high", "zdr": 2})
    assert (after.strings("tier")[1], after.numbers("zdr").tolist()) == (("high",), [2.0])
    assert laid({"tier": "", "status": None}).table["tier"].null_count == 1
