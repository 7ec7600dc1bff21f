from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.data.dataset import Problem
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.errors import DataError
from support.datasets import pair, write_image, year


def test_the_folder_itself_comes_first_and_then_one_level_below(tmp_path: Path) -> None:
    pair(tmp_path / "a-pairs", "a", "dog")
    assert find_dataset(tmp_path).root == tmp_path / "a-pairs"
    year(tmp_path / "b-year", "a")
    assert find_dataset(tmp_path).root == tmp_path / "b-year"
    year(tmp_path / "c-kit" / "VOC2007", "a")
    assert find_dataset(tmp_path).root == tmp_path / "c-kit"
    pair(tmp_path, "a", "dog")
    assert find_dataset(tmp_path).root == tmp_path


def test_it_looks_no_deeper_and_not_into_hidden_folders(tmp_path: Path) -> None:
    pair(tmp_path / "one" / "two", "a", "dog")
    pair(tmp_path / ".frcnn", "a", "dog")
    write_image(tmp_path / "photo.jpg")
    with pytest.raises(DataError, match=r"holds no data set, but 1 image; name a"):
        find_dataset(tmp_path)


def test_only_a_folder_is_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        find_dataset(tmp_path / "none")
    with pytest.raises(DataError, match="is a file; name the folder"):
        find_dataset(write_image(tmp_path / "a.jpg"))


def test_fruit(shared_data: Path) -> None:
    dataset = find_dataset(shared_data / "fruit")
    assert {name: len(ids) for name, ids in dataset.splits.items()} == {
        "train": 240,
        "trainval": 240,
        "test": 60,
    }
    assert dataset.classes == ("apple", "banana", "orange")
    problems: list[Problem] = []
    samples = [s for split in ("train", "test") for s in dataset.samples(split, problems.append)]
    assert len(samples) == 300
    assert problems == []
    # From apple_1.xml: 8, 15, 331, 349 with the size given as 0 × 0.
    assert dataset.read("train/apple_1").boxes.tolist() == [[7, 14, 331, 349]]


def test_voc07_mini(shared_data: Path) -> None:
    dataset = find_dataset(shared_data / "voc07-mini")
    assert dataset.format == "VOC devkit"
    sizes = {name: len(ids) for name, ids in dataset.splits.items()}
    assert sizes == {"train": 798, "val": 802, "trainval": 1600, "test": 600}
    assert len(dataset.classes) == 20
    problems: list[Problem] = []
    assert sum(1 for _ in dataset.samples("test", problems.append)) == 600
    assert problems == []
