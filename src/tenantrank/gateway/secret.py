"""Keys: read by reference, shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from tenantrank.errors import InputError

ENVIRONMENT = "os.environ/"
FILE = "file/"
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}", re.IGNORECASE)
_HEADER_SAFE = re.compile(r"[!-~]+")
_LONGEST = 16_384


class Secret:
    """A value that goes into a request's headers and nowhere else.

    Text forms show where the value came from and never the value. It cannot be pickled or written as JSON; a copy is
    the same object. Secrets compare by identity, so that no comparison leaks by its time.

    Attributes
    ----------
    source : the name of the variable or the path of the file, without the ``os.environ/`` or ``file/`` before it
    """

    __slots__ = ("__value", "source")

    def __init__(self, value: str, source: str) -> None:
        self.__value = value
        self.source = source

    def reveal(self) -> str:
        """Give the value itself."""
        return self.__value

    def __repr__(self) -> str:
        return f"<secret from {self.source}>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: Any) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


def is_reference(text: str) -> bool:
    """Whether a text names a secret instead of being one."""
    return text.startswith((ENVIRONMENT, FILE))


def secret_of(reference: str, environ: Mapping[str, str], folder: Path) -> Secret:
    """Read a secret by its reference.

    Parameters
    ----------
    reference
        ``os.environ/NAME``, or ``file/PATH`` with a path relative to ``folder``; an absolute one is taken as it is.
        Line ends at the end of a file are not part of its secret.
    environ
        the environment variables
    folder
        where the configuration file is

    Raises
    ------
    InputError
        for anything else, as a key written into the file itself, and for a secret that is not there, is empty or
        cannot stand in a header. What was given is never shown, since it may be the key.
    """
    if reference.startswith(ENVIRONMENT):
        return _of_variable(reference.removeprefix(ENVIRONMENT), environ)
    if reference.startswith(FILE):
        return _of_file(reference.removeprefix(FILE), folder)
    raise InputError("a key is given by reference, as os.environ/NAME or file/PATH, and never written into the file")


def _of_variable(name: str, environ: Mapping[str, str]) -> Secret:
    if not _VARIABLE.fullmatch(name):
        raise InputError("os.environ/ must be followed by the name of an environment variable")
    value = environ.get(name)
    if value is None:
        # Only a name in capitals is shown: what is not written like a variable may be a key put in the wrong place.
        shown = f" {name}" if name == name.upper() else ""
        raise InputError(f"the environment variable{shown} for a key is not set")
    return _checked(value, name)


def _of_file(name: str, folder: Path) -> Secret:
    if not name or "\0" in name:
        raise InputError("file/ must be followed by the path of a file")
    try:
        with (folder / name).open("rb") as file:
            raw = file.read(_LONGEST + 3)
    except OSError as error:
        raise InputError(f"the file for a key cannot be read: {name}: {error.strerror}") from None
    return _checked(raw.decode("latin-1").rstrip("\r\n"), name)


def _checked(value: str, source: str) -> Secret:
    if not value:
        raise InputError(f"the key from {source} is empty")
    if len(value) > _LONGEST or not _HEADER_SAFE.fullmatch(value):
        raise InputError(f"the key from {source} has a space, a line end or another character that no key has")
    return Secret(value, source)
