"""Wall time per stage of detection."""

from __future__ import annotations

import time

import torch


class StageTimer:
    """A stopwatch that gives each stage the time since the end of the one before it.

    Args:
        device: what is timed.
        exact: whether to wait for a GPU after each stage; else the stage that waits gets all of it.

    Attributes:
        seconds: by stage; a stage that ends several times has the sum.
    """

    def __init__(self, device: torch.device, *, exact: bool = False) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._waits = exact and device.type == "cuda"
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        """Ends `stage`."""
        if self._waits:
            torch.cuda.synchronize(self._device)
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
