"""Images that two splits share, whatever they are called."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig, ValidationConfig
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.data.overlaps import overlaps_of
from frcnn_cli.errors import ConfigError
from frcnn_cli.training.batches.split_data import AnnotatedData
from support.commands import frcnn
from support.exports import Case, coco_document, picture, text, voc, xml, yolo

LISTS = {"train": "a\nb\n", "val": "c\n"}
PAIRS = {
    f"Annotations/{stem}.xml": (f"JPEGImages/{stem}.jpg", f"{stem}.jpg") for stem in ("a", "b", "c")
}


def copied(root: Path) -> None:
    """VOC data of which `c`, in val, is a copy of `a`, in train."""
    voc(PAIRS, LISTS)(root)
    (root / "JPEGImages" / "c.jpg").write_bytes((root / "JPEGImages" / "a.jpg").read_bytes())


def listed_twice(root: Path) -> None:
    """COCO data whose two files list one image."""
    for i, split in enumerate(("train", "val")):
        names = ["a.jpg", f"{split}.jpg"]
        picture(root / "images" / "a.jpg", 9)
        picture(root / "images" / f"{split}.jpg", 40 * i)
        document = json.dumps(coco_document(names))
        text(root / "annotations" / f"instances_{split}.json", document)


def linked(root: Path) -> None:
    """YOLO data whose val has a link to an image of train."""
    files = {"data.yaml": "train: images/train\nval: images/val\nnames: [cat]\n"}
    yolo(["images/train/a.jpg", "images/val/b.jpg"], files)(root)
    (root / "images" / "val" / "c.jpg").symlink_to(root / "images" / "train" / "a.jpg")
    text(root / "labels" / "val" / "c.txt", "0 0.3 0.4 0.3 0.5\n")


def listed_in_both(root: Path) -> None:
    """VOC data with an image in both lists."""
    voc(PAIRS, {"train": "a\nb\n", "val": "b\nc\n"})(root)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (copied, "a.jpg and data/JPEGImages/c.jpg have the same bytes"),
        (listed_twice, "share 1 image, such as data/images/a.jpg"),
        (linked, "a.jpg and data/images/val/c.jpg are one file"),
        (listed_in_both, "share 1 image, such as data/JPEGImages/b.jpg"),
    ],
)
def test_splits_that_share_images_are_reported(tmp_path: Path, case: Case, words: str) -> None:
    case(tmp_path / "data")
    printed = json.loads(frcnn(tmp_path, "data", "data", "--json").stdout)
    (overlap,) = printed["overlaps"]
    assert overlap.startswith("train and val share 1 image, such as ")
    assert words in overlap
    assert words in " ".join(frcnn(tmp_path, "data", "data").stdout.split())


@pytest.mark.parametrize("case", [copied, listed_twice, linked, listed_in_both])
def test_what_is_trained_on_is_not_held_out(
    tmp_path: Path, case: Case, caplog: pytest.LogCaptureFixture
) -> None:
    case(tmp_path / "data")
    cache = Cache(tmp_path / "cache")
    dataset = open_dataset(tmp_path / "data", cache)
    trained, _ = read_split(dataset, "train")
    source = training_on_train(dataset, cache)
    with caplog.at_level(logging.WARNING):
        apart = source.apart("val").samples
    all_of_val = len(dataset.splits["val"])
    assert len(apart) == all_of_val - 1
    assert f"1 of {all_of_val} images of val are trained on" in caplog.text
    assert not overlaps_of(
        {each.image_id: each.path for each in trained}, {each.image_id: each.path for each in apart}
    )


def test_patience_does_not_wait_for_images_that_are_trained_on(tmp_path: Path) -> None:
    copied(tmp_path / "data")
    cache = Cache(tmp_path / "cache")
    dataset = open_dataset(tmp_path / "data", cache)
    source = training_on_train(dataset, cache)
    assert source.held_out() is None
    with pytest.raises(ConfigError, match="no images of 'val' are held out"):
        replace(source, validation=ValidationConfig(patience=2)).held_out()


def training_on_train(dataset: Dataset, cache: Cache) -> AnnotatedData:
    read = read_split(dataset, "train")
    return AnnotatedData(dataset, "train", *read, ValidationConfig(), ProposalConfig(), cache)


@pytest.mark.slow
def test_a_dry_run_reports_it_too(tmp_path: Path) -> None:
    copied(tmp_path / "data")
    printed = frcnn(tmp_path, "train", "data", "--split", "train", "--dry-run", "--iterations", "1")
    assert printed.returncode == 0, printed.stderr
    assert "1 of 1 images of val are trained on" in " ".join(printed.stderr.split())


def test_splits_apart_are_not_reported(tmp_path: Path) -> None:
    voc(PAIRS, LISTS)(tmp_path / "data")
    assert json.loads(frcnn(tmp_path, "data", "data", "--json").stdout)["overlaps"] == []
    text(tmp_path / "data" / "gone.xml", xml("gone.jpg"))
    gone = {"x": tmp_path / "gone.jpg"}
    assert overlaps_of(gone, gone) == {}
