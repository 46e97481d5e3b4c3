"""Compiled kernels: a catalog as columns, orders and bitsets; policies as programs; the best offers of each.

| kernel | result |
|---|---|
| `rank_programs`, `rank_one` | the best offers of a catalog under each of many programs, or under one |
| `bind_programs` | where the comparisons of programs cut the columns of a catalog |
| `condition_masks` | the offers that pass each of several conditions |
| `turned_away` | how many offers fail each clause, or fail it first, and which clause each offer fails first |
| `clause_fails` | the offers that fail each clause |
| `first_failing`, `fail_counts` | of those: which clause each offer fails first; how many offers fail each clause |
| `fewest_failing` | the fewest conditions that some offer fails |
| `fingerprints` | the two-part checksums of many texts |
| `look_up`, `enter` | the numbers of many integers in a hash table |
| `mark_rows` | the offers that satisfy conditions on one property |
| `fill_order`, `mend_order` | a column's order, which the others read; the same where a few values are others |

What an instruction is stands in `opcodes`, what kernels read and write in `frames`. Kernels import nothing of the
package above them, check nothing (the lowering has) and raise nothing. Without the JIT their bodies run as plain
Python and compute the same bits.
"""

from tenantrank_kernels import frames, opcodes
from tenantrank_kernels._compile import JIT_DISABLED, compiled_before, entry_point, python_body
from tenantrank_kernels.checksums import fingerprints
from tenantrank_kernels.conditions import bind_programs, condition_masks
from tenantrank_kernels.frames import Frame, handle_of
from tenantrank_kernels.lookups import enter, look_up
from tenantrank_kernels.mending import mend_order
from tenantrank_kernels.misses import fewest_failing
from tenantrank_kernels.orders import fill_order
from tenantrank_kernels.rank import rank_one, rank_programs
from tenantrank_kernels.rejections import (
    FIRST_COUNTS,
    FIRST_OF_EVERY,
    MOST_DIGITS,
    OWN_COUNTS,
    clause_fails,
    fail_counts,
    first_failing,
    turned_away,
)
from tenantrank_kernels.rows import mark_rows

__all__ = [
    "FIRST_COUNTS",
    "FIRST_OF_EVERY",
    "JIT_DISABLED",
    "MOST_DIGITS",
    "OWN_COUNTS",
    "Frame",
    "bind_programs",
    "clause_fails",
    "compiled_before",
    "condition_masks",
    "enter",
    "entry_point",
    "fail_counts",
    "fewest_failing",
    "fill_order",
    "fingerprints",
    "first_failing",
    "frames",
    "handle_of",
    "look_up",
    "mark_rows",
    "mend_order",
    "opcodes",
    "python_body",
    "rank_one",
    "rank_programs",
    "turned_away",
]
