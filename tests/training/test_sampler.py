"""The order of photographs is a function of the seed and the step."""

from __future__ import annotations

from frcnn_cli.training.sampler import photographs_of_step, seed_for


def test_each_pass_sees_every_photograph_once() -> None:
    # 5 photographs, 2 a step: 5 steps are two passes, the third batch straddles them.
    seen = [index for step in range(5) for index in photographs_of_step(step, 5, 2, seed=3)]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [0, 1, 2, 3, 4]
    assert seen[:5] != seen[5:]


def test_a_step_does_not_depend_on_the_ones_before() -> None:
    assert photographs_of_step(7, 100, 2, seed=1) == photographs_of_step(7, 100, 2, seed=1)
    assert photographs_of_step(7, 100, 2, seed=1) != photographs_of_step(7, 100, 2, seed=2)


def test_seeds_differ() -> None:
    seeds = {
        seed_for(seed, step, slot) for seed in range(3) for step in range(9) for slot in (0, 1)
    }
    assert len(seeds) == 54
    assert all(0 <= seed < 2**63 for seed in seeds)
