"""Finds COCO JSON files and the folders of their images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.coco import CocoFile, CocoReader, read_coco
from frcnn_cli.data.formats.coco_json import looks_like_coco
from frcnn_cli.data.formats.layout import (
    Splits,
    complete,
    find_named_image,
    folders,
    in_order_of_splits,
    split_called,
)
from frcnn_cli.errors import AnnotationError, DataError

LOOKED_AT = 50
"""Images of a file that are looked for in a folder, to see whether it is theirs."""

_YEAR = re.compile(r"(19|20)\d\d$")


@dataclass(frozen=True, slots=True)
class _Found:
    """A COCO file that was found.

    Attributes:
        file: its content.
        name: what it calls its images, such as "train2017"; "" where it says nothing.
        folder: where they are.
    """

    file: CocoFile
    name: str
    folder: Path


def find_coco(root: Path) -> Dataset | None:
    """Returns the COCO JSON files of `root` as one data set, or None.

    They are `annotations/instances_*.json` or else any COCO file in `annotations`, in the folders
    `train`, `val` and `test`, or in `root`. A file's name or folder says which split it is.

    Raises:
        DataError: a file in `annotations` is damaged, or none of its images is there.
    """
    found = _in_annotations(root) or _beside(root)
    if not found:
        return None
    keys = _keys(found)
    alone = len(found) == 1
    reader = CocoReader(
        {"" if alone else key: each.file for key, each in zip(keys, found, strict=True)},
        {"" if alone else key: each.folder for key, each in zip(keys, found, strict=True)},
    )
    members = [
        tuple(file.images) if alone else tuple(f"{key}/{number}" for number in file.images)
        for key, file in zip(keys, (each.file for each in found), strict=True)
    ]
    splits = _splits([each.name for each in found], members)
    classes, categories, notes = _categories([each.file for each in found])
    return Dataset(
        "COCO JSON in",
        root,
        tuple(image_id for ids in members for image_id in ids),
        complete(splits),
        reader,
        classes or None,
        categories,
        tuple(note for each in found for note in each.file.notes) + notes,
    )


def _in_annotations(root: Path) -> list[_Found]:
    """Returns what is in `annotations`, where images are in a folder beside it."""
    folder = next((path for path in folders(root) if path.name.lower() == "annotations"), None)
    if folder is None:
        return []
    paths = _json_files(folder)
    instances = [path for path in paths if path.stem.lower().startswith("instances")]
    found = []
    for path in instances or paths:
        file = read_coco(path)
        if file is None or (not instances and not len(file.boxes)):
            continue
        name = re.sub(r"^instances_?", "", path.stem, flags=re.IGNORECASE)
        places = [root / name, root / "images" / name]
        split = split_called(_YEAR.sub("", name))
        if split:
            names = [p for p in folders(root) if split_called(p.name) == split]
            places += [*names, *(root / "images" / p for p in (split, f"{split}2017"))]
        places += [root / "images", root / "JPEGImages", root, folder]
        chosen = _folder_of(file, places)
        if chosen is None:
            tried = ", ".join(str(place) for place in dict.fromkeys(places) if place.is_dir())
            raise DataError(
                f"none of its images, such as {file.names[0][:200]!r}, is in {tried}",
                remedy=f"put them into {root / 'images'}",
                file=path,
            )
        found.append(_Found(file, name, chosen))
    return _sorted(found)


def _beside(root: Path) -> list[_Found]:
    """Returns the files in the folders of splits, or else in `root`, beside their images."""
    found: list[_Found] = []
    for folder in folders(root):
        if split_called(folder.name):
            for path in _json_files(folder):
                found += _near(path, folder.name, [folder, folder / "images"])
    if not found:
        for path in _json_files(root):
            name = re.sub(r"^_?(instances|annotations)[._]?", "", path.stem, flags=re.IGNORECASE)
            name = name.removesuffix(".coco")
            places = [root / name, root / "images" / name, root / "images", root]
            found += _near(path, name, places)
    return _sorted(found)


def _near(path: Path, name: str, places: Sequence[Path]) -> Iterator[_Found]:
    """Yields what `path` holds if its images are there; other tools write such JSON too."""
    try:
        file = read_coco(path)
    except AnnotationError:
        return
    if file is not None and (folder := _folder_of(file, places)):
        yield _Found(file, name, folder)


def _sorted(found: list[_Found]) -> list[_Found]:
    order = {name: i for i, name in enumerate(in_order_of_splits({each.name for each in found}))}
    return sorted(found, key=lambda each: order[each.name])


def _json_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.glob("*.json")
        if path.is_file() and not path.name.startswith(".") and looks_like_coco(path)
    )


def _folder_of(file: CocoFile, places: Sequence[Path]) -> Path | None:
    """Returns the first of `places` that holds most of a sample of the file's images.

    None where none holds any; a file without images has the first place that is there.
    """
    there = [place for place in dict.fromkeys(places) if place.is_dir()]
    sample = file.names[:: max(1, len(file.names) // LOOKED_AT)]
    if not sample:
        return next(iter(there), None)
    hits = [sum(find_named_image(place, name) is not None for name in sample) for place in there]
    return there[hits.index(max(hits))] if any(hits) else None


def _keys(found: Sequence[_Found]) -> list[str]:
    """Returns a different name for each file, without "/"."""
    keys: list[str] = []
    for each in found:
        key = each.name or each.file.path.stem
        number = 1
        while key in keys:
            number += 1
            key = f"{each.name or each.file.path.stem}-{number}"
        keys.append(key)
    return keys


def _splits(names: Sequence[str], members: Sequence[tuple[str, ...]]) -> Splits:
    """Returns the splits: "train2017" is train, unless two years of it are there.

    One file whose name says nothing is no split: the data set then has none.
    """
    meant = [split_called(_YEAR.sub("", name)) for name in names]
    splits: Splits = {}
    for name, split, ids in zip(names, meant, members, strict=True):
        if split is None and len(names) == 1:
            return {}
        title = split if split and meant.count(split) == 1 else name or "all"
        splits[title] = splits.get(title, ()) + ids
    return splits


def _categories(
    files: Sequence[CocoFile],
) -> tuple[tuple[str, ...], dict[str, int], tuple[DataError, ...]]:
    """Returns the classes in the order of their ids, their ids, and where files contradict."""
    ids: dict[str, int] = {}
    notes = []
    for file in files:
        for number, name in sorted(file.categories.items()):
            if ids.setdefault(name, number) != number:
                notes.append(
                    AnnotationError(
                        f"category {name!r} has the ids {ids[name]} and {number}",
                        remedy="they are taken for one class",
                        file=file.path,
                    )
                )
    return tuple(sorted(ids, key=lambda name: (ids[name], name))), ids, tuple(notes)
