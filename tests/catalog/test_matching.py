"""Which offers match, and what stays sure after several looks."""

import numpy as np
import pytest

from tenantrank.catalog import Catalog
from tenantrank.catalog.matching import Reach, copies_of, matching
from tenantrank.catalog.overlay_file import Match

RECORDS = [
    {"id": "azure|gpt", "provider_id": "azure", "model_family": "gpt-5", "geo": ["eu"], "regions": ["eu-north-1"]},
    {"id": "azure|gpt-us", "provider_id": "azure", "model_family": "gpt-5", "geo": ["us"]},
    {"id": "mistral|large", "provider_id": "mistral", "model_family": "mistral-large", "region_key": "x"},
    {"id": "mistral|small", "provider_id": "mistral", "model_family": "mistral-small"},
]


def rows(mask):
    return np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ({"offer_id": "azure|gpt"}, [0]),
        ({"provider_id": ["azure", "mistral"]}, [0, 1, 2, 3]),
        ({"provider_id": "mistral", "model_family": "gpt-5"}, []),
        ({"model_family": "mistral-*"}, [2, 3]),
        ({"offer_id": "*|*l*"}, [2, 3]),
        ({"offer_id": "azure.gpt"}, []),
        ({"model_family": ["gpt", "*-small"]}, [3]),
        ({"geo": ["us", "eu"]}, [0, 1]),
        ({"regions": "eu-north-1"}, [0]),
        ({"geo": "e*"}, []),
        ({"lab": "*"}, []),
    ],
)
def test_matching__needs_every_key_by_any_of_its_values(match, expected):
    assert rows(matching(Match.model_validate(match), Catalog.from_records(RECORDS).table)) == expected


def test_matching__takes_excepted_rows_as_they_come():
    table, mask = Catalog.from_records(RECORDS).table, np.array([False, True, True, True])
    both = Match.model_validate({"provider_id": "mistral", "region_key": "x"})
    assert rows(matching(both, table)) == [2]
    assert rows(matching(both, table, {"region_key": mask, "geo": mask})) == [2, 3]


def test_reach__is_sure_of_what_every_look_found():
    first, second = np.array([True, True, False]), np.array([True, False, True])
    reach = Reach(first, first).seen(second)
    assert (rows(reach.sure), rows(reach.maybe)) == ([0], [0, 1, 2])
    assert reach.equals(reach.seen(first).seen(second))
    assert not reach.equals(Reach(first, first))


def test_copies_of__are_the_last_rows():
    mask = np.array([True, False, False, False, True])
    assert rows(copies_of(mask, np.array([1, 0]))) == [4]
    assert rows(copies_of(mask, np.array([], dtype=np.int64))) == []
