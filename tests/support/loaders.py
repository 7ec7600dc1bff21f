"""Loads batches that are larger than a container's shared memory, for test_loading.py.

    python loaders.py

Prints the sum of the numbers of each batch.
"""

from __future__ import annotations

import torch

from frcnn_cli.model.batch import Batch
from frcnn_cli.training.batches.loading import loaded_ahead

STEPS = 6


def load(step: int) -> Batch:
    """Returns a batch of 8 MB that holds its step."""
    image = torch.full((1, 3, 640, 1024), float(step))
    return Batch((image,), (torch.zeros(2, 4),), torch.zeros(2).long(), torch.zeros(2, 4), ("a",))


if __name__ == "__main__":
    for batch in loaded_ahead(load, range(STEPS), workers=2):
        assert isinstance(batch, Batch)
        print(int(batch.images[0].mean()))  # noqa: T201
