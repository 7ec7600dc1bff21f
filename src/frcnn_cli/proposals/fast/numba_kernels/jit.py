"""Compilation of the kernels: by numba, at their first call, for the processor at hand.

Machine code is kept beside this package, or in the user's cache folder where the package is
read-only (`NUMBA_CACHE_DIR` names another). It is made again when the file of a kernel changes, but
not when the file of a kernel that it calls does: whoever edits these files deletes `__pycache__`.

Processes that need the same machine code do not all make it: one compiles, the others wait and load
what it kept.

Kernels hold no lock while they run. Arithmetic is IEEE's, in the order in which it is written: no
sum is regrouped and nothing is fused, or the boxes would not be OpenCV's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

if sys.platform != "win32":
    import fcntl

KernelT = TypeVar("KernelT", bound=Callable[..., Any])


def inlined(function: KernelT) -> KernelT:
    """Compiles a function into the kernels that call it."""
    return kernel(function, inline="always")


def kernel(function: KernelT, **options: Any) -> KernelT:
    """Compiles a function; `options` are numba's."""
    # Nothing calls a kernel by a C address, which takes code of its own to compile.
    options |= {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    compiled: Any
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep machine code: each process compiles for itself
        return njit(**options)(function)  # type: ignore[no-any-return]
    compile_or_load = compiled.compile

    def compile_in_turn(signature: Any) -> Any:
        with global_compiler_lock, _turn(compiled.stats.cache_path):
            return compile_or_load(signature)

    compiled.compile = compile_in_turn
    return compiled  # type: ignore[no-any-return]


_ours: set[str] = set()
"""Folders that are locked by this process; only the thread that compiles looks."""


@contextmanager
def _turn(folder: str) -> Iterator[None]:
    """Locks a folder of machine code against other processes.

    A kernel of one folder compiles those that it calls, of that or of another folder. No two
    folders call each other, so that no two processes wait for each other.
    """
    if sys.platform == "win32" or folder in _ours:
        yield
        return
    try:
        held = os.open(folder, os.O_RDONLY)
    except OSError:  # not made yet, or not ours to read
        yield
        return
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_EX)
        _ours.add(folder)
        yield
    finally:
        _ours.discard(folder)
        os.close(held)
