"""What the suite can do without: packages of the ``bench`` extra, a C compiler, something of the platform."""

from __future__ import annotations

import importlib
import os
from typing import Any

from tenantrank.errors import TenantrankError


class AbsentError(TenantrankError):
    """Something that a peer or a part needs is not here; the message is one line that says what to do."""


def package(name: str) -> Any:
    """Import a package of the ``bench`` extra.

    Raises
    ------
    AbsentError
        where it is not installed, or cannot be imported
    """
    if name == "polars":
        # Read by Polars when it is first imported; two threads are what every side of `all-tenants` has.
        os.environ.setdefault("POLARS_MAX_THREADS", "2")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise AbsentError(f"{name} is not installed: pip install 'tenantrank[bench]'") from None
    except ImportError as error:
        raise AbsentError(f"{name} cannot be imported: {' '.join(str(error).split())}") from None
