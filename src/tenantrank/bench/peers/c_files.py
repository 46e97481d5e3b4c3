"""Implementations in C, compiled on the spot with the machine's own compiler and called through ctypes.

``c/rank.h`` says what a file is given and gives; `FILES` lists them. One more is a file in that folder and a line
here. A workload's policies are lowered to the arrays that the header describes before anything is timed, and all are
ranked by one call. Nothing of the catalog is sorted or indexed beforehand but by a file's own ``prepare``, and no
policy's constant is looked up in it but by a file's own ``bind_policies``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from operator import call
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tenantrank.bench.answers import Answers
from tenantrank.bench.optional import AbsentError
from tenantrank.bench.ready import Ready
from tenantrank.bench.rules import Compare, Condition, Every, Flag, Not, OneOf, Some
from tenantrank.bench.shapes import mask_of
from tenantrank.bench.workload import Columns, K, Workload

FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-std=c11", "-shared", "-fPIC")
"""What every file is compiled with."""


@dataclass(frozen=True)
class CFile:
    """One implementation.

    Attributes
    ----------
    file : in the folder ``c``
    needs : the CPU's features, as Linux names them, without which it cannot run
    flags : for the compiler, beside `FLAGS`
    """

    file: str
    needs: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


FILES: MappingProxyType[str, CFile] = MappingProxyType(
    {
        "C, column scan": CFile("column_scan.c"),
        "C, engine's algorithm": CFile("engine_algorithm.c", ("avx2", "fma")),  # uses AVX-512 where it is
    }
)
"""The implementations in C by name."""

_FOLDER = Path(__file__).parent.parent / "c"
_AT_MOST, _AT_LEAST, _IS, _AMONG = range(4)
_SET, _AND, _OR = range(3)
_LEAF, _FOLD = range(2)
_LEVELS = 8

_STEP = np.dtype(
    [(name, np.int32) for name in ("kind", "test", "column", "negated", "join", "level")]
    + [("bound", np.float64), ("providers", np.uint64), ("cut", np.int64)],
    align=True,
)
_PART = np.dtype(
    [("column", np.int32), ("reversed", np.int32), ("weight", np.float64), ("first", np.int64), ("stop", np.int64)],
    align=True,
)
_POLICY = np.dtype([(name, np.int64) for name in ("first_step", "last_step", "first_part", "last_part")], align=True)


class _Catalog(ctypes.Structure):
    _fields_ = (
        ("offers", ctypes.c_int64),
        ("numbers", ctypes.c_void_p),
        ("flags", ctypes.c_void_p),
        ("providers", ctypes.c_void_p),
        ("number_columns", ctypes.c_int64),
        ("flag_columns", ctypes.c_int64),
    )


def batch(name: str, threads: int = 1) -> Callable[[Workload], Ready]:
    """Give the preparation of a file of `FILES`: every policy in one call, or in one call a thread."""

    def prepare(work: Workload) -> Ready:
        return _Running(_library(FILES[name]), work, threads).ready()

    return prepare


def compiler() -> str:
    """Give the path of the C compiler: ``$CC``, else ``cc``.

    Raises
    ------
    AbsentError
        where there is none
    """
    named = os.environ.get("CC") or "cc"
    found = shutil.which(named)
    if found is None:
        raise AbsentError(f"no C compiler: {named!r} is not on the path (set CC)")
    return found


@cache
def _library(source: CFile) -> ctypes.CDLL:
    path = compiler()
    with suppress(OSError):
        known = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("flags")[2].partition("\n")[0].split()
        if lacking := set(source.needs) - set(known):
            raise AbsentError(f"{source.file} needs a CPU with {', '.join(sorted(lacking))}")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "library.so"
        line = [path, *FLAGS, *source.flags, "-o", str(built), str(_FOLDER / source.file)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            shown = (done.stderr.strip().splitlines() or ["no message"])[0]
            raise AbsentError(f"{source.file} does not compile here: {shown}")
        library = ctypes.CDLL(str(built))  # stays mapped when the file is gone
    library.prepare.restype = ctypes.c_void_p
    library.prepare.argtypes = [ctypes.c_void_p]
    library.release.restype = None
    library.release.argtypes = [ctypes.c_void_p]
    library.rank_policies.restype = ctypes.c_int
    pointer, count = ctypes.c_void_p, ctypes.c_int64
    library.rank_policies.argtypes = [pointer, pointer, count, pointer, pointer, pointer, pointer, count]
    if hasattr(library, "bind_policies"):
        library.bind_policies.restype = None
        library.bind_policies.argtypes = [pointer, pointer, count, pointer, pointer]
    return library


class _Running:
    """A library over one workload; keeps alive what it has addresses of."""

    def __init__(self, library: ctypes.CDLL, work: Workload, threads: int) -> None:
        self._library = library
        columns = work.columns
        numbers = [np.ascontiguousarray(values) for values in columns.numbers.values()]
        flags = [values.astype(np.uint8) for values in columns.flags.values()]
        providers = columns.providers.astype(np.uint8)
        addresses = [np.array([each.ctypes.data for each in group], dtype=np.uint64) for group in (numbers, flags)]
        self._kept = (numbers, flags, providers, addresses)
        given = _Catalog(
            len(columns),
            addresses[0].ctypes.data,
            addresses[1].ctypes.data,
            providers.ctypes.data,
            len(numbers),
            len(flags),
        )
        self._prepared = library.prepare(ctypes.addressof(given))
        if not self._prepared:
            raise MemoryError
        self._policies, self._steps, self._parts = _programs(work)
        self._count = len(work.policies)
        if hasattr(library, "bind_policies"):
            written = self._steps.ctypes.data, self._parts.ctypes.data
            library.bind_policies(self._prepared, self._policies.ctypes.data, self._count, *written)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._bounds = np.linspace(0, self._count, 8 * threads + 1 if threads > 1 else 2).astype(int).tolist()

    def ready(self) -> Ready:
        return Ready(call, [self._rank], lambda results: results[0], self._close)

    def _rank(self) -> Answers:
        rows = np.full((self._count, K), -1, dtype=np.int32)
        scores = np.full((self._count, K), np.nan)
        spans = list(zip(self._bounds[:-1], self._bounds[1:], strict=True))
        run = partial(self._span, rows, scores)
        if any(map(run, spans) if self._pool is None else self._pool.map(run, spans)):
            raise MemoryError
        return Answers(rows, scores)

    def _span(self, rows: npt.NDArray[Any], scores: npt.NDArray[Any], span: tuple[int, int]) -> int:
        first, last = span
        status: int = self._library.rank_policies(
            self._prepared,
            self._policies[first:].ctypes.data,
            last - first,
            self._steps.ctypes.data,
            self._parts.ctypes.data,
            rows[first:].ctypes.data,
            scores[first:].ctypes.data,
            K,
        )
        return status

    def _close(self) -> None:
        self._library.release(self._prepared)
        if self._pool is not None:
            self._pool.shutdown()


def _programs(work: Workload) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Lower every policy to steps and parts."""
    steps: list[tuple[Any, ...]] = []
    parts: list[tuple[Any, ...]] = []
    policies: list[tuple[int, ...]] = []
    number = {name: at for at, name in enumerate(work.columns.numbers)}
    for rule in work.rules:
        first_step, first_part = len(steps), len(parts)
        _add_steps(rule.condition, _SET, 0, False, work.columns, steps)
        parts += [(number[part.field], part.reversed, part.weight, 0, 0) for part in rule.parts]
        policies.append((first_step, len(steps), first_part, len(parts)))
    return np.array(policies, _POLICY), np.array(steps, _STEP), np.array(parts, _PART)


def _add_steps(
    condition: Condition, join: int, level: int, negated: bool, columns: Columns, steps: list[tuple[Any, ...]]
) -> None:
    """Add the steps that join a condition to its level's mask."""
    if level >= _LEVELS:
        raise ValueError(f"a condition is nested deeper than {_LEVELS} levels")
    match condition:
        case Compare(field, relation, bound):
            test = _AT_MOST if relation == "le" else _AT_LEAST
            steps.append((_LEAF, test, list(columns.numbers).index(field), negated, join, level, bound, 0, 0))
        case Flag(name):
            steps.append((_LEAF, _IS, list(columns.flags).index(name), negated, join, level, 0.0, 0, 0))
        case OneOf(names):
            steps.append((_LEAF, _AMONG, 0, negated, join, level, 0.0, mask_of(names, columns), 0))
        case Not(part):
            _add_steps(part, join, level, not negated, columns, steps)
        case Every(parts) | Some(parts):
            inside = _AND if isinstance(condition, Every) else _OR
            # The first condition of a level may take its place as it is.
            deeper = level if join == _SET and not negated else level + 1
            for at, part in enumerate(parts):
                _add_steps(part, inside if at else _SET, deeper, False, columns, steps)
            if deeper > level:
                steps.append((_FOLD, 0, 0, negated, join, level, 0.0, 0, 0))
