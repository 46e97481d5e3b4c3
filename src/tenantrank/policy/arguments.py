"""Arguments of public functions, refused by their type before anything is done with them.

What Python says of a wrong argument comes from inside and names what the caller has never heard of. Here the refusal is
one line that says what was wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

from tenantrank.errors import RequestError, TenantrankError
from tenantrank.policy.admission import shown


def check_type(
    value: Any,
    kind: type | tuple[type, ...],
    wanted: str,
    error: Callable[[str], TenantrankError] = RequestError,
) -> None:
    """Refuse a value that is not of a type, or of one of several.

    Parameters
    ----------
    value
        the argument
    kind
        what it must be an instance of
    wanted
        the same in words, as in ``a Catalog``
    error
        makes the exception from its message

    Raises
    ------
    TenantrankError
        what `error` makes
    """
    if not isinstance(value, kind):
        raise error(f"expected {wanted}, got {shown(value)}")


def listed(values: Any, what: str, error: Callable[[str], TenantrankError] = RequestError) -> list[Any]:
    """Give the items of a list, or of anything else that goes through items in an order of its own.

    Text, mappings and sets are refused: their items are not what a caller of such a function means.

    Raises
    ------
    TenantrankError
        what `error` makes of a message that begins with `what`, as in ``policies``
    """
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | Mapping | Set):
        raise error(f"{what} must be a list, got {shown(values)}")
    return list(values)


def one_each(values: Any, what: str, policies: int) -> list[Any] | None:
    """Give what comes as one item for each of so many policies; ``None`` stays.

    Raises
    ------
    RequestError
        for what is no list, as `listed`, and for one of another length
    """
    if values is None:
        return None
    items = listed(values, what)
    if len(items) != policies:
        raise RequestError(f"{len(items)} {what} for {policies} policies")
    return items
