"""Arguments of public functions, refused by their type."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tenantrank.errors import CatalogError, PolicyError, RequestError
from tenantrank.policy.arguments import check_type, listed, one_each


def test_check_type__passes_what_is_of_the_type() -> None:
    check_type(True, int, "a number")
    check_type("x", (int, str), "a number or text")


def test_check_type__says_what_was_wanted_in_the_error_asked_for() -> None:
    with pytest.raises(RequestError, match=r"^expected a number, got 'x'$"):
        check_type("x", int, "a number")
    with pytest.raises(CatalogError, match=r"^expected a Catalog, got a record$"):
        check_type({}, int, "a Catalog", CatalogError)
    with pytest.raises(PolicyError, match=r"^policy refused at \$: expected a term, got None$"):
        check_type(None, int, "a term", partial(PolicyError, "$"))


def test_listed__gives_the_items_of_whatever_goes_through_them_in_order() -> None:
    for values in ([1, 2], (1, 2), iter([1, 2]), range(1, 3)):
        assert listed(values, "values") == [1, 2]


@pytest.mark.parametrize("values", [None, 0, "ab", b"ab", {}, {1}, object()])
def test_listed__refuses_everything_else(values: Any) -> None:
    with pytest.raises(RequestError, match=r"^values must be a list, got "):
        listed(values, "values")


def test_one_each__is_one_for_each_or_none() -> None:
    assert one_each(None, "seeds", 2) is None
    assert one_each((1, None), "seeds", 2) == [1, None]
    with pytest.raises(RequestError, match=r"^1 seeds for 2 policies$"):
        one_each([1], "seeds", 2)
