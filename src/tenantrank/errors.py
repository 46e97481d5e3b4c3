"""Every error this package raises on purpose: one base, one child per stage, each carrying its data.

`PolicyError` is the only error that any policy input can cause. A message is one clear line; the data it was built from
stays on the exception, so that a caller can act on it without parsing text.
"""

from __future__ import annotations


class TenantrankError(Exception):
    """Base of all errors raised by this package."""


class PolicyError(TenantrankError):
    """A policy term was refused.

    Attributes
    ----------
    path : where the fault is, from the root of the term down: ``$``, then ``.op[index]`` for an argument of an op,
        ``[index]`` for an entry of a list and ``.key`` for one of a record, as in ``$.policy[1].and[2].cmp[3]``
    reason : what is wrong there, in one line
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"policy refused at {path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[PolicyError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


class CatalogError(TenantrankError):
    """A catalog, an overlay or a source of either cannot be used as given."""


class HealthError(TenantrankError):
    """A health record (the live state the catalog does not hold) does not have the documented shape."""


class RequestError(TenantrankError):
    """A request record, or a seed or k that goes with it, does not have the documented shape."""


class RulebookError(TenantrankError):
    """A rulebook is not valid, or names something that the catalog does not have."""


class TenantError(TenantrankError):
    """One tenant's state does not satisfy what the rulebook needs of it.

    Attributes
    ----------
    field : the tenant field at fault, or ``None`` where the fault is not in one field
    rule : id of the rule that needed it, or ``None`` where the field's own declaration was broken
    """

    def __init__(self, message: str, field: str | None = None, rule: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule

    def __reduce__(self) -> tuple[type[TenantError], tuple[str, str | None, str | None]]:
        return type(self), (str(self), self.field, self.rule)


class TraceError(TenantrankError):
    """A trace could not be written, read, signed or replayed.

    Attributes
    ----------
    why : what sort of fault, for a program to act on: ``refused`` (this record, snapshot or argument alone cannot be
        taken), ``full`` (too much is waiting for the disk; nothing was taken), ``failed`` (the store could not write,
        and takes nothing until it is opened again), ``closed``, ``locked`` (another writer has the store), ``missing``
        (nothing of that id), ``unreadable`` (what was read is not a trace, or is damaged), ``unavailable`` (a package
        that is needed is not installed)
    """

    def __init__(self, message: str, why: str = "refused") -> None:
        super().__init__(message)
        self.why = why

    def __reduce__(self) -> tuple[type[TraceError], tuple[str, str]]:
        return type(self), (str(self), self.why)


class InputError(TenantrankError):
    """A file or an option given on the command line cannot be used, or its output cannot be written."""


class ConformanceError(TenantrankError):
    """A file of conformance vectors cannot be read as one."""
