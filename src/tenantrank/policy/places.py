"""How a place of processing is spelled in the names of the fields that speak of it."""

from __future__ import annotations


def place_name(place: str) -> str:
    """Give a place as a field name spells it: lower case, every character but letters and digits as ``_``.

    A catalog names its ``region_…`` fields by it, and a rulebook's region forms find them by it.
    """
    return "".join(char if char.isascii() and char.isalnum() else "_" for char in place.lower())
