"""The one place that says how a kernel is compiled, and where its machine code is kept.

Machine code is cached in a folder of our own whose name holds the digest of every kernel source, Numba's version and
whether bounds are checked, so that an upgrade or an edit in any kernel module can never meet stale code. Numba itself
keys the files in it by CPU. The folder is ``$TENANTRANK_CACHE_DIR``, else ``$XDG_CACHE_HOME/tenantrank``, else
``~/.cache/tenantrank``; where none can be written, kernels are compiled in memory and one line is logged.

Only kernels are cached. Their parts are compiled into them, so that a part is never linked from the cache as finished
machine code, which could not be inlined. Nor is a part optimized and made machine code of by itself: see `_linked`.

No option here changes arithmetic: IEEE doubles, no ``fastmath``, no contraction, no parallel reduction.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba
import numpy as np
from numba import types
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.runtime.nrt import rtsys

P = ParamSpec("P")
R = TypeVar("R")

_config: Any = numba.config
_njit: Any = numba.njit

JIT_DISABLED = bool(_config.DISABLE_JIT)
"""Whether kernels run as plain Python (``NUMBA_DISABLE_JIT=1``)."""
BOUNDS_CHECKED = bool(_config.BOUNDSCHECK)
"""Whether kernels check every array access (``NUMBA_BOUNDSCHECK=1``)."""

NUMBA_IS_KNOWN = numba.version_info.short == (0, 68)
"""Whether `_Cache` and `_linked` are used, which rest on names that Numba keeps to itself: in tried versions."""

_log = logging.getLogger("tenantrank.kernels")


def _cache_folder() -> str | None:
    """Make the cache folder for this very set of kernel sources; give ``None`` where nothing can be written."""
    digest = hashlib.sha256(f"{numba.__version__} {_config.BOUNDSCHECK}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    root = os.environ.get("TENANTRANK_CACHE_DIR")
    if not root:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(base, "tenantrank")
    folder = os.path.join(root, f"kernels-{digest.hexdigest()[:16]}")
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        _log.warning("kernels are compiled in memory: no cache folder can be written (%s)", error)
        return None


_FOLDER = None if JIT_DISABLED else _cache_folder()


def compiled_before() -> bool:
    """Say whether the cache folder holds machine code, so that kernels are loaded and not compiled."""
    return JIT_DISABLED or (_FOLDER is not None and any(Path(_FOLDER).rglob("*.nbc")))


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into the kernels that call it."""
    return _without_warnings(function) if JIT_DISABLED else _linked(function)


def small_part(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a few instructions into each place that calls them."""
    return _without_warnings(function) if JIT_DISABLED else _linked(function, forceinline=True)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call, or load its machine code from the cache folder.

    The compiled function releases the interpreter lock while it runs. `python_body` gives its plain Python body, which
    is what runs where the JIT is disabled.
    """
    return _without_warnings(function) if JIT_DISABLED else _cached(function, nogil=True)


def brief_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile as `kernel` does, for calls of microseconds: the interpreter lock is kept.

    Giving the lock up for so short a time makes every other thread fight for it.
    """
    return _without_warnings(function) if JIT_DISABLED else _cached(function, nogil=False)


def _linked(function: Callable[P, R], **options: bool) -> Callable[P, R]:
    """Compile a part: in one version for all the kernels that call it, which link it; tests call another from Python.

    Numba by itself compiles a function anew for each type of integer and each constant that it is called with, and
    makes machine code of every version, which takes as long again as all else.
    """
    compiled: Any = _njit(nogil=True, error_model="numpy", **options)(function)
    if NUMBA_IS_KNOWN and not BOUNDS_CHECKED:
        inner: Any = _njit(
            nogil=True,
            error_model="numpy",
            no_cpython_wrapper=True,
            no_cfunc_wrapper=True,
            pipeline_class=_PartCompiler,
            **options,
        )(function)
        compiled.get_call_template = lambda arguments, named: inner.get_call_template(
            [_handed_over(kind) for kind in arguments], {name: _handed_over(kind) for name, kind in named.items()}
        )
        compiled.get_overload = inner.get_overload
    return compiled


def _handed_over(kind: Any) -> Any:
    """Give the type that a part takes in place of another: signed integers of 64 bits for all, and no constants."""
    kind = types.unliteral(kind)
    return types.int64 if kind in types.signed_domain else kind


class _PartCompiler(Compiler):
    """Numba's compiler, but for where the code of a part goes."""

    def define_pipelines(self) -> Any:
        self.state.library = _PartLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        return super().define_pipelines()


class _PartLibrary(JITCodeLibrary):
    """The code of a part and of the parts it calls, as it was written: it runs only where a kernel links it.

    Numba would optimize it and make machine code of it at each level of calls, down to the kernel.
    """

    def _optimize_functions(self, ll_module: Any) -> None:
        pass

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0  # as of what has no such function

    @property
    def codegen(self) -> Any:
        """Stand in for the code generator, which would be told of the environment of each function that it has."""
        return self

    def set_env(self, env_name: str, env: Any) -> None:
        """Do nothing: no function is here."""


def _cached(function: Callable[P, R], nogil: bool) -> Callable[P, R]:
    if _FOLDER is None:
        return numba.njit(nogil=nogil, error_model="numpy")(function)
    before = _config.CACHE_DIR
    _config.CACHE_DIR = _FOLDER
    try:
        compiled: Any = numba.njit(nogil=nogil, error_model="numpy", cache=True)(function)
        if NUMBA_IS_KNOWN and type(compiled._cache) is FunctionCache and not BOUNDS_CHECKED:
            compiled._cache = _Cache(function)
        return compiled
    finally:
        _config.CACHE_DIR = before


class _Cache(FunctionCache):
    """Numba's cache, but that finished machine code is loaded without what only compiling needs.

    Numba would first set up the types and the code generators of all that it supports, which takes a third of the time
    from the start of a process to its first ranking. Where a kernel does have to be compiled, they are set up then.
    """

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        rtsys.initialize(target_context)  # machine code refers to Numba's runtime
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def entry_point(compiled: Any, integers: int) -> Callable[..., Any]:
    """Compile a kernel for so many integer arguments, and give the shortest way to call it from Python.

    Numba's own dispatch looks at the type of each argument first, which takes longer than many a call. Where its
    entry point is not to be had, the kernel itself is given.
    """
    if JIT_DISABLED or BOUNDS_CHECKED:
        return compiled
    signature = (numba.int64,) * integers
    compiled.compile(signature)
    return getattr(compiled.overloads[signature], "entry_point", compiled)


def python_body(compiled: Callable[P, R]) -> Callable[P, R]:
    """Give the plain Python body of a kernel, for tests that compare it with the compiled one."""
    body: Callable[P, R] | None = getattr(compiled, "py_func", None)
    return compiled if body is None else _without_warnings(body)


def _without_warnings(body: Callable[P, R]) -> Callable[P, R]:
    """Keep NumPy's scalars silent about infinities and NaN, as compiled code is."""
    return np.errstate(all="ignore")(body)
