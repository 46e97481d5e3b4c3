"""Where parts of a policy come from, as people read it."""

import pytest

from tenantrank.tenants.origin import Conflict, Origin


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("base"), "base"),
        (Origin("residency", "region", "eu"), "residency <- region='eu'"),
        (Origin("providers", "approved", ("azure", "openai")), "providers <- approved=['azure', 'openai']"),
        (Origin("no-dpa", "dpa_signed", None), "no-dpa <- dpa_signed absent"),
        (Origin("vip", "vip", True), "vip <- vip=True"),
    ],
)
def test_origin__reads_as_rule_field_and_value(origin, text):
    assert str(origin) == text


def test_origin__with_a_list_value_can_be_a_key():
    assert len({Origin("r", "f", ("a",)), Origin("r", "f", ("a",)), Origin("r", "f", ("b",))}) == 2


def test_conflict__names_both_bounds_and_why():
    conflict = Conflict("floor", "bench", Origin("a"), Origin("b", "x", 1.5), 0.75, 0.6, "the stricter bound stands")
    assert str(conflict) == "floor bench: kept 0.75 (a) over 0.6 (b <- x=1.5): the stricter bound stands"


def test_conflict__of_choices_names_both_origins():
    conflict = Conflict("preference", None, Origin("a"), Origin("b"), "(zero)", "(lit 1)", "equally specific, later")
    assert str(conflict) == "preference: kept a over b: equally specific, later"
