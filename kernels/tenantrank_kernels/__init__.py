"""Compiled kernels: NumPy arrays in, NumPy arrays out.

| kernel | result |
|---|---|
| `rank_programs` | the best offers of a catalog under each of many programs |
| `condition_masks` | the offers that pass each of several conditions |
| `condition_step`, `compare` | one condition instruction; one comparison of a column with a bound |
| `score_step`, `normalize` | one score instruction; the rescaling between the survivors' ends |
| `best_first`, `sampled`, `before` | the order of scored survivors; the drawn order; which of two scores comes first |

What an instruction is stands in `opcodes`. Kernels import nothing of the package above them, check nothing (the
lowering has) and raise nothing. `python_body` gives a kernel's plain Python body, which computes the same bits.
"""

from tenantrank_kernels import opcodes
from tenantrank_kernels._compile import JIT_DISABLED, python_body
from tenantrank_kernels.conditions import compare, condition_masks, condition_step
from tenantrank_kernels.rank import rank_programs
from tenantrank_kernels.scores import normalize, score_step
from tenantrank_kernels.selection import before, best_first, sampled

__all__ = [
    "JIT_DISABLED",
    "before",
    "best_first",
    "compare",
    "condition_masks",
    "condition_step",
    "normalize",
    "opcodes",
    "python_body",
    "rank_programs",
    "sampled",
    "score_step",
]
