"""Dropout whose draws follow from the seed, the step and the image alone.

An image's RoIs lose the same units whichever process computes them, beside which other
images and in however many pieces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from frcnn_cli.training.batches.sampler import seed_for

_STREAM = 1
"""Tells these draws from the others of a step."""


def set_dropout(model: nn.Module, p: float) -> None:
    """Sets the probability of every dropout layer."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = p


class RegionDropout:
    """Takes the place of the draws of a model's dropout layers, inside `step`.

    Args:
        model: whose layers have the probabilities.
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
        """Drops in this block.

        Args:
            step: from 0.
            images: slot in the step, and number of RoIs, of each image of a forward pass.
        """
        self._step, self._images, self._active = step, images, True
        for layer in self._layers:
            layer.eval()  # its own draws come from the global state
        try:
            yield
        finally:
            self._active = False

    @contextmanager
    def rows(self, rows: slice) -> Iterator[None]:
        """Says that a forward pass in this block is of these RoIs only."""
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
        mask = torch.cat(kept)[self._rows].to(output.device)
        return output * mask / (1 - layer.p)

    def _generator(self, slot: int, index: int) -> torch.Generator:
        seed = seed_for(self._seed, self._step, slot, _STREAM, index)
        return torch.Generator().manual_seed(seed)
