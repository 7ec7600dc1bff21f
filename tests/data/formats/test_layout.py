from __future__ import annotations

import pytest

from frcnn_cli.data.formats.layout import complete, scored_split, training_split


@pytest.mark.parametrize(
    ("splits", "trains", "scores"),
    [
        ({"train": ("a",), "val": ("b",), "test": ("c",)}, "trainval", "test"),
        ({"trainval": ("a",), "test": ("c",)}, "trainval", "test"),
        ({"train": ("a",), "val": ("b",)}, "train", "val"),
        ({"train": ("a",), "val": ("b",), "test": ()}, "train", "val"),
        ({"train": ("a",), "val": ()}, "trainval", "test"),
        ({"train": ("a",)}, "trainval", "test"),
        ({"train": ("a",), "test": ("c",)}, "trainval", "test"),
    ],
)
def test_default_splits(splits: dict[str, tuple[str, ...]], trains: str, scores: str) -> None:
    known = complete(splits)
    assert (training_split(known), scored_split(known)) == (trains, scores)
