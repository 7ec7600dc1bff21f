"""Large arrays that are used again: fresh memory can cost as much as the work on it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt


class Memory:
    """Arrays by name, for one thread. NumPy asks the system for large pages; numba would not."""

    def __init__(self) -> None:
        self._blocks: dict[str, np.ndarray] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> np.ndarray:
        """Returns an array of any content, which is valid until its name is asked for again.

        Args:
            name: of the array.
            shape: of the array.
            dtype: the same at each call with this name.
        """
        size = math.prod(shape)
        if name not in self._blocks or self._blocks[name].size < size:
            self._blocks[name] = np.empty(size, dtype)
        return self._blocks[name][:size].reshape(shape)
