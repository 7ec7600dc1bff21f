"""Finds the data set that a folder holds."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.coco_find import find_coco
from frcnn_cli.data.formats.layout import (
    Unused,
    complete,
    folders,
    ignore,
    is_image_name,
    split_called,
)
from frcnn_cli.data.formats.voc_find import find_beside, find_devkit, find_year
from frcnn_cli.data.formats.yolo_find import find_yolo
from frcnn_cli.errors import DataError, count, some_of
from frcnn_cli.files import advice_on_missing, reading

_NAMED = 3
"""Reasons that an error names why nothing in a folder is used."""


class NoAnnotationsError(DataError):
    """A folder holds no file that looks like annotations."""


Finder = Callable[[Path, Unused], Dataset | None]

FINDERS: tuple[Finder, ...] = (find_devkit, find_year, find_coco, find_yolo, find_beside)
"""Asked in this order about each folder; the first that finds its format wins."""


def find_dataset(path: Path | str) -> Dataset:
    """Returns the data set in the folder `path`, or else in one of the folders just below it.

    `str()` of the result describes it in one line.

    Raises:
        DataError: there is no such folder, it cannot be read, or it holds no data set;
            NoAnnotationsError where nothing in it looks like one.
    """
    root = Path(path)
    if not root.exists():
        raise DataError("does not exist", remedy=advice_on_missing(root), file=root)
    if not root.is_dir():
        raise DataError("is a file", remedy="name the folder of the data set", file=root)
    seen: list[DataError] = []
    with reading(root, remedy="check its permissions"):
        found = _look(root, seen.append)
    if found is None:
        raise _nothing_found(root, seen)
    return found


def _nothing_found(root: Path, seen: list[DataError]) -> DataError:
    if not seen:
        files = Counter(
            "image" if is_image_name(path.name) else f"{path.suffix} file"
            for place in (root, *folders(root))
            for path in place.iterdir()
            if path.is_file() and not path.name.startswith(".")
        )
        kinds = [count(number, kind) for kind, number in files.most_common()]
        return NoAnnotationsError(
            f"holds no data set, but {some_of(kinds) or 'nothing'}",
            remedy="name a folder with a VOCdevkit, with JPEGImages and Annotations, with COCO "
            "JSON, with a YOLO data.yaml or classes.txt, or with images beside their VOC XML",
            file=root,
        )
    reasons = list(dict.fromkeys(map(str, seen)))
    more = f" (and {len(reasons) - _NAMED:,} more)" if len(reasons) > _NAMED else ""
    return DataError(
        f"holds no data set that can be used: {' | '.join(reasons[:_NAMED])}{more}", file=root
    )


def _look(root: Path, unused: Unused) -> Dataset | None:
    """Returns the data set of `root` itself, or else of a folder just below it."""
    # A folder of one split is not the data set, unless nothing else is.
    below = sorted(folders(root), key=lambda path: split_called(path.name) is not None)
    for places in ([root], below):
        for finder, place in product(FINDERS, places):
            if found := finder(place, unused):
                split = split_called(place.name) if places is below else None
                if split and not found.splits:
                    found = found.with_splits(complete({split: found.ids}))
                return _with_others(found, finder, places)
    return None


def _with_others(found: Dataset, by: Finder, places: Sequence[Path]) -> Dataset:
    """Returns the data set that a finder found, with notes on the others that are in `places`."""
    notes = []
    for place, finder in product(places, FINDERS):
        if (place, finder) == (found.root, by):
            continue
        try:
            other = finder(place, ignore)
        except DataError:
            continue
        if other:
            notes.append(
                DataError(
                    f"{other.format} {other.root} looks like data too, with "
                    f"{count(len(other.ids), 'image')}, but {found.format} {found.root} is used",
                    remedy="name the folder of one, or move the other away",
                )
            )
    return dataclasses.replace(found, notes=(*found.notes, *notes))
