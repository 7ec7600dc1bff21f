"""Dropout whose masks depend on the seed, the step and the image's slot alone.

The RoIs of an image lose the same units on every rank, beside any other images and in any number
of pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from frcnn_cli.runtime.device import to_device
from frcnn_cli.training.batches.sampler import seed_for

_STREAM = 1
"""Separates these random numbers from the others of a step."""


def set_dropout(model: nn.Module, p: float) -> None:
    """Sets the probability of every dropout layer."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = p


class RegionDropout:
    """Replaces the masks of a model's dropout layers inside `step`.

    Args:
        model: its dropout layers hold the probabilities.
        seed: of the run.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        self._layers = [m for m in model.modules() if isinstance(m, nn.Dropout)]
        self._seed = seed
        self._images: Sequence[tuple[int, int]] = ()
        self._step = 0
        self._rows = slice(None)
        self._active = False
        for index, layer in enumerate(self._layers):
            layer.register_forward_hook(partial(self._drop, index))

    @contextmanager
    def step(self, step: int, images: Sequence[tuple[int, int]]) -> Iterator[None]:
        """Applies dropout in this block.

        Args:
            step: number of the step, from 0.
            images: of each image of a forward pass its slot in the step and its number of RoIs.
        """
        self._step, self._images, self._active = step, images, True
        for layer in self._layers:
            layer.eval()  # its own mask would come from the global random state
        try:
            yield
        finally:
            self._active = False

    @contextmanager
    def rows(self, rows: slice) -> Iterator[None]:
        """Restricts the masks to these RoIs, for a forward pass of a piece."""
        self._rows = rows
        try:
            yield
        finally:
            self._rows = slice(None)

    def _drop(self, index: int, layer: nn.Dropout, _: Any, output: Tensor) -> Tensor | None:
        if not self._active or not layer.p:
            return None
        kept = [
            torch.rand(count, output.shape[1], generator=self._generator(slot, index)) >= layer.p
            for slot, count in self._images
        ]
        mask = torch.cat(kept)[self._rows]
        return output * to_device(mask, output.device) / (1 - layer.p)

    def _generator(self, slot: int, index: int) -> torch.Generator:
        seed = seed_for(self._seed, self._step, slot, _STREAM, index)
        return torch.Generator().manual_seed(seed)
