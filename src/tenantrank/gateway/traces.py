"""Traces: the latest records, by ids that nobody guesses."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from tenantrank.gateway.record_parts import NO_ORIGINS, AttemptRecord, RuleRecord
from tenantrank.gateway.records import DecisionRecord
from tenantrank.policy.policy import Policy
from tenantrank.tenants import CompiledPolicy

__all__ = ["AttemptRecord", "DecisionRecord", "RuleRecord", "Traces", "is_trace_id", "new_trace_id"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PREFIX, _LETTERS = "tr_", 26
_RULES = 1024


def new_trace_id(random_bits: Callable[[int], int]) -> str:
    """Make an id that nobody guesses: ``tr_`` and 26 letters and digits.

    Parameters
    ----------
    random_bits
        gives a number of so many random bits, as ``random.SystemRandom().getrandbits`` does
    """
    bits = random_bits(5 * _LETTERS)
    return _PREFIX + "".join([_PAIRS[bits >> shift & 1023] for shift in range(0, 5 * _LETTERS, 10)])


def is_trace_id(text: str) -> bool:
    """Say whether a text has the form of a trace id."""
    letters = text.removeprefix(_PREFIX)
    return len(letters) == _LETTERS and len(text) == _LETTERS + len(_PREFIX) and set(letters) <= set(_ALPHABET)


class Traces:
    """The latest records of this process, in memory. What is older than the last so many is forgotten."""

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._records: OrderedDict[str, DecisionRecord] = OrderedDict()
        self._rules: dict[tuple[str, str], RuleRecord] = {}

    def rule(self, policy: Policy | CompiledPolicy, source: str) -> RuleRecord:
        """Give the record of a rule (`RuleRecord.of`), made once while it is remembered.

        Records hold no part of a catalog, so that keeping them keeps none alive.
        """
        if isinstance(policy, CompiledPolicy):
            key, origins = (policy.policy.identity, source), policy.origins
        else:
            key, origins = (policy.identity, source), NO_ORIGINS
        known = self._rules.get(key)
        # Tenants with one and the same policy may have it from different rules.
        if known is None or known.origins is not origins:
            if len(self._rules) >= _RULES:
                self._rules.clear()
            known = self._rules[key] = RuleRecord.of(policy, source)
        return known

    def keep(self, record: DecisionRecord) -> None:
        """Keep a record, in the place of one of the same id; the oldest gives way."""
        if self._most < 1:
            return
        self._records[record.trace_id] = record
        if len(self._records) > self._most:
            self._records.popitem(last=False)

    def find(self, trace_id: str, caller: str | None) -> DecisionRecord | None:
        """Give a record that the caller of this name may see: its own. ``None`` as the name is the operator."""
        record = self._records.get(trace_id)
        return record if record is None or caller is None or record.caller == caller else None

    def __len__(self) -> int:
        return len(self._records)
