"""Tenants to policies: the operator's rulebook, and the compiler that keeps the reason for every clause.

A `Rulebook` says which tenant fields there are and what each rule adds for the tenants that its condition names.
`Rulebook.compile` turns one tenant's state into a `CompiledPolicy`, whose every clause carries its `Origin`;
`Rulebook.compile_many` does so for a table, compiling each distinct state once, into a `Fleet`.
"""

from tenantrank.tenants.compiling import CompiledPolicy
from tenantrank.tenants.fleet import Fleet, RowError
from tenantrank.tenants.origin import Conflict, Origin
from tenantrank.tenants.rulebook import Rulebook
from tenantrank.tenants.tables import read_tenants

__all__ = ["CompiledPolicy", "Conflict", "Fleet", "Origin", "RowError", "Rulebook", "read_tenants"]
