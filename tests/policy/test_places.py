"""Places in field names."""

import pytest

from tenantrank.policy.places import place_name


@pytest.mark.parametrize(
    ("place", "name"), [("EU", "eu"), ("us-east-1", "us_east_1"), ("us gov", "us_gov"), ("Zürich", "z_rich"), ("", "")]
)
def test_place_name__is_lower_case_letters_digits_and_underscores(place, name):
    assert place_name(place) == name
