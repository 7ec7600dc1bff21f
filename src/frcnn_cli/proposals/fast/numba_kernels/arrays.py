"""Arrays in kernels, made by loops: NumPy's own ways take numba seconds to compile."""

from __future__ import annotations

import numpy as np

from frcnn_cli.proposals.fast.numba_kernels.jit import kernel


@kernel
def filled(count: int, value: int) -> np.ndarray:
    """(count,) int32 of one value."""
    array = np.empty(count, np.int32)
    for i in range(count):
        array[i] = value
    return array


@kernel
def counted(count: int) -> np.ndarray:
    """(count,) int32 that count from 0."""
    array = np.empty(count, np.int32)
    for i in range(count):
        array[i] = i
    return array
