"""Finds the data set that a folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.coco_find import find_coco
from frcnn_cli.data.formats.voc_find import find_beside, find_devkit, find_year
from frcnn_cli.data.formats.yolo_find import find_yolo
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading

Finder = Callable[[Path], Dataset | None]

FINDERS: tuple[Finder, ...] = (find_devkit, find_year, find_coco, find_yolo, find_beside)
"""Asked in this order about each folder; the first that finds its format wins."""


def find_dataset(path: Path | str) -> Dataset:
    """Returns the data set in the folder `path`, or else in one of the folders just below it.

    `str()` of the result says in one line what was chosen.

    Raises:
        DataError: there is no such folder, it cannot be read, or it holds no data set.
    """
    root = Path(path)
    if not root.exists():
        raise DataError("does not exist", remedy="check the path", file=root)
    if not root.is_dir():
        raise DataError("is a file", remedy="name the folder of the data set", file=root)
    with reading(root, remedy="check its permissions"):
        found = _look(root)
    if found is None:
        raise DataError(
            "holds no data set",
            remedy="name a folder with a VOCdevkit, with JPEGImages and Annotations, with COCO "
            "JSON, with a YOLO data.yaml, or with images beside their VOC XML",
            file=root,
        )
    return found


def _look(root: Path) -> Dataset | None:
    below = sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
    for finder in FINDERS:
        if found := finder(root):
            return found
    for finder in FINDERS:
        for folder in below:
            if found := finder(folder):
                return found
    return None
