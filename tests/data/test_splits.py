from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.data.splits import make_splits

images = st.dictionaries(
    st.text(max_size=6), st.frozensets(st.sampled_from("abcde"), max_size=3), max_size=40
)


@given(images, st.integers())
def test_every_image_is_on_one_side(made: dict[str, frozenset[str]], seed: int) -> None:
    splits = make_splits(made.items(), seed=seed)
    assert sorted(splits["trainval"] + splits["test"]) == sorted(made)
    if len(made) > 1:
        assert len(splits["test"]) == max(1, round(len(made) / 5))


@given(images, st.randoms(use_true_random=False))
def test_the_order_of_the_files_does_not_matter(made, random) -> None:
    shuffled = list(made.items())
    random.shuffle(shuffled)
    assert make_splits(shuffled, seed=3) == make_splits(made.items(), seed=3)


def test_it_is_the_same_on_every_machine_and_another_with_another_seed() -> None:
    made = [(f"{i:02d}", frozenset("a")) for i in range(10)]
    # In the order of the SHA-256 digests of "0:00" … "0:09": six for trainval, which lacks eight;
    # then, as both sides lack two, one for test and one for trainval in turn.
    assert make_splits(made, seed=0)["test"] == ("00", "03")
    assert make_splits(made, seed=1)["test"] == ("03", "09")


@pytest.mark.parametrize("seed", range(20))
def test_rare_classes_are_on_both_sides(seed: int) -> None:
    made = {f"{i:03d}": frozenset({"common"}) for i in range(60)}
    made |= {f"r{i}": frozenset({"common", "rare"}) for i in range(2)}
    made |= {f"s{i}": frozenset({"scarce"}) for i in range(3)}
    splits = make_splits(made.items(), seed=seed)
    for side in ("trainval", "test"):
        counts = Counter(name for image_id in splits[side] for name in made[image_id])
        assert min(counts["rare"], counts["scarce"], counts["common"]) >= 1
    assert len(splits["test"]) == 13


@pytest.mark.parametrize("seed", range(20))
def test_a_class_of_one_image_is_for_training(seed: int) -> None:
    made = {f"{i}": frozenset({"common"}) for i in range(9)} | {"one": frozenset({"single"})}
    assert "one" in make_splits(made.items(), seed=seed)["trainval"]


def test_nothing_and_one() -> None:
    assert make_splits([], seed=0) == {"trainval": (), "test": ()}
    assert make_splits([("a", frozenset())], seed=0) == {"trainval": ("a",), "test": ()}


@pytest.mark.parametrize("seed", range(5))
def test_every_class_keeps_its_share(seed: int) -> None:
    # 400 images of one to three classes; class "i" is in every i-th, so some are rare.
    made = {
        f"{n}": frozenset(str(i) for i in (2, 3, 7, 31, 50) if n % i == 0) for n in range(1, 401)
    }
    totals = Counter(name for names in made.values() for name in names)
    for share in (0.1, 0.2, 0.5):
        test = make_splits(made.items(), seed=seed, share=share)["test"]
        assert len(test) == 400 * share
        counts = Counter(name for image_id in test for name in made[image_id])
        for name, total in totals.items():
            assert abs(counts[name] - share * total) <= 1.5, (name, share)
