"""Random RoIs for tests of the poolings."""

from __future__ import annotations

import torch


def random_rois(n: int, width: int, height: int, batch: int, seed: int = 0) -> torch.Tensor:
    """Returns (n, 5): the image's index, and corners within 20 pixels of a map in pixels."""
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(n, 2, 2, generator=generator) * torch.tensor([width, height])
    # A little outside the image too.
    first, last = corners.amin(1) - 20, corners.amax(1) + 20
    image = torch.randint(batch, (n, 1), generator=generator).float()
    return torch.cat((image, first, last), dim=1)
