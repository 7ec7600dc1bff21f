"""How the kernels are compiled: by numba, at their first call, for the processor at hand.

Machine code is kept beside this package, or in the user's cache folder where the package is
read-only (`NUMBA_CACHE_DIR` names another). It is made again when the file of a kernel changes, but
not when the file of a kernel that it calls does: whoever edits these files deletes `__pycache__`.

Kernels hold no lock while they run. Arithmetic is IEEE's, in the order in which it is written: no
sum is regrouped and nothing is fused, or the boxes would not be OpenCV's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

KernelT = TypeVar("KernelT", bound=Callable[..., Any])


def kernel(function: KernelT) -> KernelT:
    """Compiles a function."""
    return _compiled(function)


def inlined(function: KernelT) -> KernelT:
    """Compiles a function into the kernels that call it."""
    return _compiled(function, inline="always")


def _compiled(function: KernelT, **options: Any) -> KernelT:
    compiled: KernelT
    try:
        compiled = njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:  # nowhere to keep machine code: each process compiles for itself
        compiled = njit(nogil=True, error_model="numpy", **options)(function)
    return compiled
