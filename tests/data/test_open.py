"""Splits that a data set lacks are made once and kept, never in the user's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from frcnn_cli.cache.store import Cache
from frcnn_cli.data.open import open_dataset, read_split


def flat_copy(scenes: Path, folder: Path) -> Path:
    """The generated images beside their XML: data without splits."""
    folder.mkdir()
    for file in [*(scenes / "JPEGImages").iterdir(), *(scenes / "Annotations").iterdir()]:
        shutil.copy(file, folder)
    return folder


def test_kept_splits(scenes: Path, tmp_path: Path) -> None:
    data, cache = flat_copy(scenes, tmp_path / "images"), Cache(tmp_path / "cache")
    before = sorted(data.iterdir())
    made = open_dataset(data, cache).splits
    assert set(made) == {"trainval", "test"}
    assert not set(made["trainval"]) & set(made["test"])
    assert open_dataset(data, cache).splits == made
    assert sorted(data.iterdir()) == before

    # An image that goes leaves its split; one that comes never joins the test split.
    gone = made["trainval"][0]
    for file in data.glob(f"{gone}.*"):
        file.rename(file.with_name(f"new{file.suffix}"))
    changed = open_dataset(data, cache).splits
    assert changed["test"] == made["test"]
    assert changed["trainval"] == (*made["trainval"][1:], "new")


def test_bad_annotations_are_reported_and_the_others_used(scenes: Path, tmp_path: Path) -> None:
    data = flat_copy(scenes, tmp_path / "images")
    first, second, third = sorted(data.glob("*.xml"))[:3]
    first.write_text(first.read_text().replace("<xmin>", "<xmin>9999"), encoding="utf-8")
    second.write_text("no xml", encoding="utf-8")
    third.with_suffix(".jpg").unlink()
    cache = Cache(tmp_path / "cache")
    dataset = open_dataset(data, cache)
    samples, failures = [], []
    for split in dataset.splits:
        good, bad = read_split(dataset, split)
        samples += good
        failures += bad
    assert len(samples) + len(failures) == len(dataset.ids)
    text = "\n".join(map(str, failures))
    assert first.name in text
    assert second.name in text
