"""The order of images is a function of the seed and the step."""

from __future__ import annotations

from collections import Counter
from math import ceil, floor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.training.batches.sampler import images_of_step, repeat_factors, seed_for


def test_each_pass_sees_every_image_once() -> None:
    # 5 images, 2 a step: 5 steps are two passes, the third batch straddles them.
    alike = torch.ones(5)
    seen = [index for step in range(5) for index in images_of_step(step, 2, 3, alike)]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [0, 1, 2, 3, 4]
    assert seen[:5] != seen[5:]


def test_a_step_does_not_depend_on_the_ones_before() -> None:
    alike = torch.ones(100)
    assert images_of_step(7, 2, 1, alike) == images_of_step(7, 2, 1, alike)
    assert images_of_step(7, 2, 1, alike) != images_of_step(7, 2, 2, alike)


def test_seeds_differ() -> None:
    seeds = {
        seed_for(seed, step, slot) for seed in range(3) for step in range(9) for slot in (0, 1)
    }
    assert len(seeds) == 54
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_repeats_by_hand() -> None:
    """8 images; class 1 is in 8/8 · ½ = 4, class 2 in one, class 3 in two.

    With threshold 1/2 they are repeated √(½ / ½) = 1, √(½ / ⅛) = 2 and √(½ / ¼) = √2 times.
    """
    labels = [np.array(each, np.int64) for each in ([1], [1, 1], [1, 2], [1, 3], [3], [], [], [])]
    factors = repeat_factors(labels, 0.5).tolist()
    assert factors == pytest.approx([1, 1, 2, 2**0.5, 2**0.5, 1, 1, 1])
    assert repeat_factors(labels, 0.125).tolist() == [1] * 8  # none is rarer than that
    assert repeat_factors([labels[5]], 0.5).tolist() == [1]  # not an object at all


@given(
    st.lists(st.floats(1, 30), min_size=1, max_size=40), st.integers(0, 5), st.integers(0, 2**32)
)
def test_a_pass_has_each_image_as_often_as_its_share(
    shares: list[float], number: int, seed: int
) -> None:
    count = len(shares)
    seen = Counter(images_of_step(number, count, seed, torch.tensor(shares).double()))
    assert seen.total() == count
    for index, share in enumerate(shares):
        expected = count * share / sum(shares)
        assert floor(expected - 1e-9) <= seen[index] <= ceil(expected + 1e-9)


def test_over_many_passes_each_has_its_share() -> None:
    """Shares 1, 2 and 5 of 8: of 3 draws 3/8, 6/8 and 15/8 a pass."""
    shares = torch.tensor([1.0, 2.0, 5.0])
    seen = Counter(images_of_step(0, 3 * 4000, 0, shares))
    for index, expected in enumerate((3 / 8, 6 / 8, 15 / 8)):
        assert seen[index] / 4000 == pytest.approx(expected, abs=0.03)
