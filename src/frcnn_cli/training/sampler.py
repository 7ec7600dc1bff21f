"""Chance in training, as a function of the seed and the step alone.

Nothing depends on what ran before, so that a run continues from any step as if it had never
stopped, with any number of loading workers.
"""

from __future__ import annotations

import numpy as np
import torch


def seed_for(*numbers: int) -> int:
    """Returns a seed that mixes `numbers` (all ≥ 0), such as (seed, step, slot)."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def photographs_of_step(step: int, count: int, batch: int, seed: int) -> list[int]:
    """Returns which photographs step `step` (from 0) trains on.

    Each pass over the `count` photographs is a new permutation; a batch may straddle two passes.
    """
    positions = range(step * batch, (step + 1) * batch)
    return [int(_permutation(seed, at // count, count)[at % count]) for at in positions]


def _permutation(seed: int, epoch: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed_for(seed, epoch))
    return torch.randperm(count, generator=generator)
