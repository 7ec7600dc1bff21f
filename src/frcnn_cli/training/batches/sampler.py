"""Random order of the images, as a function of the seed and the step alone.

Nothing depends on earlier calls, so a run resumes at any step bit for bit, with any number of
loading workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from frcnn_cli.records import IntArray


def seed_for(*numbers: int) -> int:
    """Returns a seed that mixes `numbers` (all ≥ 0), such as (seed, step, slot)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def images_of_step(step: int, batch: int, seed: int, shares: Tensor) -> list[int]:
    """Returns the indices of the images of a step.

    Each pass draws as many images as there are, N, in a new order; a batch may straddle two
    passes. A pass holds an image of share s either ⌊N s / Σ s⌋ times or once more: each image once
    if all shares are equal.

    Args:
        step: number of the step, from 0.
        batch: images per step.
        seed: of the run.
        shares: (N,) > 0, relative to each other.
    """
    count = len(shares)
    positions = range(step * batch, (step + 1) * batch)
    passes = {number: _pass(seed, number, shares) for number in {at // count for at in positions}}
    return [int(passes[at // count][at % count]) for at in positions]


def repeat_factors(labels: Sequence[IntArray], threshold: float) -> Tensor:
    """Returns the repeat factor of each image (N,), from its rarest class.

    Repeat-factor sampling (LVIS, Gupta et al. 2019). A class that a fraction f of the images
    hold is repeated max(1, √(threshold / f)) times, an image as often as its most repeated
    class; an image without objects once.

    Args:
        labels: for each of N images, the classes of its objects.
        threshold: fraction of the images below which a class is rare.
    """
    held = [np.unique(each) for each in labels]
    classes, holders = np.unique(np.concatenate([*held, np.zeros(0, np.int64)]), return_counts=True)
    repeats = np.maximum(1.0, np.sqrt(threshold * len(labels) / holders))
    by_class = dict(zip(classes.tolist(), repeats.tolist(), strict=True))
    most = [max((by_class[label] for label in each.tolist()), default=1.0) for each in held]
    return torch.tensor(most, dtype=torch.float64)


@lru_cache(maxsize=2)  # each of its steps asks for it
def _pass(seed: int, number: int, shares: Tensor) -> Tensor:
    """Returns the draws (N,) of a pass, in order."""
    count = len(shares)
    generator = torch.Generator().manual_seed(seed_for(seed, number))
    order = torch.randperm(count, generator=generator)
    # Systematic sampling: equal steps along the shares laid end to end, from a random start.
    ends = shares.double().cumsum(0)
    start = torch.rand((), generator=generator, dtype=torch.float64)
    at = (torch.arange(count) + start) * ends[-1] / count
    drawn = torch.searchsorted(ends, at, right=True).clamp(max=count - 1)
    return drawn[order]
