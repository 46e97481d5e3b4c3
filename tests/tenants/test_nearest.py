"""Suggestions for misspelt names."""

from tenantrank.tenants.nearest import hint, nearest


def test_nearest__finds_a_slip_whatever_the_case():
    assert nearest("qualty_floor", ["plan", "quality_floor"]) == "quality_floor"
    assert nearest("PLAN", ["plan", "region"]) == "plan"


def test_nearest__prefers_two_letters_swapped():
    assert nearest("region_ue", ["region_us", "region_eu", "region_u"]) == "region_eu"


def test_nearest__stays_silent_where_nothing_is_close():
    assert nearest("zzz", ["plan", "region"]) is None
    assert hint("zzz", ["plan"]) == ""


def test_hint__ends_an_error_message():
    assert hint("regoin", ["plan", "region"]) == ", did you mean 'region'?"
