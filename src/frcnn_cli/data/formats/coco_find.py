"""Finds COCO JSON files and the folders of their images."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.coco import CocoFile, CocoReader
from frcnn_cli.data.formats.coco_images import image_paths, note_doubles, without_doubles
from frcnn_cli.data.formats.coco_index import read_coco
from frcnn_cli.data.formats.coco_json import looks_like_coco
from frcnn_cli.data.formats.image_names import ImageFinder, unused_files
from frcnn_cli.data.formats.layout import (
    Splits,
    Unused,
    complete,
    files_ending,
    folders,
    ignore,
    in_order_of_splits,
    known_splits,
    split_called,
)
from frcnn_cli.errors import AnnotationError, DataError

LOOKED_AT = 50
"""Images of a file that are looked for in a folder, to see whether it is theirs."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A COCO file that was found.

    Attributes:
        file: its content.
        name: what it calls its images, such as "train2017"; "" where it has no such name.
        images: finds them.
    """

    file: CocoFile
    name: str
    images: ImageFinder


def find_coco(root: Path, unused: Unused = ignore) -> Dataset | None:
    """Returns the COCO JSON files of `root` as one data set, or None.

    They are `annotations/instances_*.json` or else any COCO file in `annotations`, in the folders
    `train`, `val` and `test`, or in `root`. A file's name or folder names its split.

    Args:
        root: the folder.
        unused: receives the files that are not used.

    Raises:
        DataError: a file in `annotations` is damaged.
    """
    problems: list[DataError] = []
    found = _in_annotations(root, problems.append) or _beside(root, problems.append)
    if not found:
        for problem in problems:
            unused(problem)
        return None
    titles = _titles([each.name for each in found])
    finders = [each.images for each in found]
    images, paths = image_paths(root, [each.file for each in found], finders)
    files = without_doubles([each.file for each in found], titles, paths)
    keys = [""] if len(found) == 1 else _keys(found)
    members = [
        tuple(f"{key}/{number}" if key else number for number in file.ids)
        for key, file in zip(keys, files, strict=True)
    ]
    splits = _splits(titles, members)
    classes, categories, notes = _categories(files)
    used = {path for each in paths for path in each}
    return Dataset(
        "COCO JSON in",
        root,
        tuple(image_id for ids in members for image_id in ids),
        complete(splits),
        CocoReader(
            dict(zip(keys, files, strict=True)),
            dict(zip(keys, finders, strict=True)),
        ),
        classes or None,
        categories,
        (
            *problems,
            *(note for file in files for note in file.notes),
            *notes,
            *([] if known_splits(splits) else note_doubles(root, paths)),
            *unused_files(root, images, used, "image", "that no COCO JSON lists"),
        ),
    )


def _in_annotations(root: Path, unused: Unused) -> list[_Found]:
    """Returns what is in `annotations` or its folders, with images in a folder beside it."""
    folder = next((path for path in folders(root) if path.name.lower() == "annotations"), None)
    if folder is None:
        return []
    paths = _json_files(folder)
    instances = [path for path in paths if path.stem.lower().startswith("instances")]
    named = [
        (path, re.sub(r"^instances_?", "", path.stem, flags=re.IGNORECASE))
        for path in instances or paths
    ] or [(path, below.name) for below in folders(folder) for path in _json_files(below)]
    found: list[_Found] = []
    for path, name in named:
        try:
            file = read_coco(path)
        except AnnotationError as error:
            if instances:
                raise
            unused(error)
            continue
        if file is None:
            continue
        if not instances and not len(file.boxes) and not file.bad:
            unused(DataError("has no annotations", remedy="it is not used", file=path))
            continue
        found += _with_images(file, name, [*_places(root, name), folder], unused)
    return _sorted(found)


def _places(root: Path, name: str) -> list[Path]:
    """Returns where the images of a file about `name` may be, the likeliest first."""
    places = [root / name, root / "images" / name]
    split = _split_of(name)
    if split:
        images = root / "images"
        for parent in (root, *([images] if images.is_dir() else [])):
            named = [path for path in folders(parent) if split_called(path.name) == split]
            places += [path / inner for path in named for inner in ("", "images", "data")]
        places.append(images / f"{split}2017")
    return [*places, root / "images", root / "JPEGImages", root / "data", root]


def _beside(root: Path, unused: Unused) -> list[_Found]:
    """Returns the files in the folders of splits, or else in `root`, beside their images."""
    found: list[_Found] = []
    for folder in folders(root):
        if split_called(folder.name):
            inner = [path for path in folders(folder) if path.name.lower() == "annotations"]
            places = [folder, folder / "images", folder / "data"]
            for path in [each for home in (folder, *inner) for each in _json_files(home)]:
                found += _near(path, folder.name, places, unused)
    if not found:
        for path in _json_files(root):
            name = re.sub(r"^_?(instances|annotations)[._]?", "", path.stem, flags=re.IGNORECASE)
            name = name.removesuffix(".coco")
            found += _near(path, name, _places(root, name), unused)
    return _sorted(found)


def _near(path: Path, name: str, places: Sequence[Path], unused: Unused) -> Iterator[_Found]:
    """Yields what `path` holds if its images are there; other tools write such JSON too."""
    try:
        file = read_coco(path)
    except AnnotationError as error:
        unused(error)
        return
    if file is not None:
        yield from _with_images(file, name, places, unused)


def _with_images(
    file: CocoFile, name: str, places: Sequence[Path], unused: Unused
) -> Iterator[_Found]:
    """Yields a file with the first of `places` that holds most of a sample of its images.

    One without images has the first place that is there; one whose images are in no place is not
    used.
    """
    split = _split_of(name)
    there = [place for place in dict.fromkeys(places) if place.is_dir()]
    finders = [ImageFinder(place, split) for place in there]
    sample = file.names[:: max(1, len(file.names) // LOOKED_AT)]
    hits = [sum(finder.find(name) is not None for name in sample) for finder in finders]
    if there and (not sample or any(hits)):
        yield _Found(file, name, finders[hits.index(max(hits))])
        return
    unused(
        file.fault(
            f"lists {len(file.names):,} images, and none of its images, such as "
            f"{file.names[0][:200] if file.names else ''!r}, is in "
            f"{', '.join(map(str, there)) or 'a folder beside it'}",
            f"put them into {file.path.parent / 'images'}",
        )
    )


def _sorted(found: list[_Found]) -> list[_Found]:
    order = {name: i for i, name in enumerate(in_order_of_splits({each.name for each in found}))}
    return sorted(found, key=lambda each: order[each.name])


def _json_files(folder: Path) -> list[Path]:
    return sorted(path for path in files_ending(folder, ".json") if looks_like_coco(path))


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


def _titles(names: Sequence[str]) -> list[str]:
    """Returns the split of each file: "train2017" is train, unless two years of it are there."""
    meant = [_split_of(name) for name in names]
    called = defaultdict(set)
    for name, split in zip(names, meant, strict=True):
        called[split].add(name.lower())
    return [
        split if split and len(called[split]) == 1 else name or "all"
        for name, split in zip(names, meant, strict=True)
    ]


def _splits(titles: Sequence[str], members: Sequence[tuple[str, ...]]) -> Splits:
    """Returns the splits; a single file, or one file per image, is none unless named as one."""
    splits: Splits = {}
    for title, ids in zip(titles, members, strict=True):
        splits[title] = splits.get(title, ()) + ids
    lone = len(titles) == 1 or all(len(ids) <= 1 for ids in members)
    return {} if lone and not any(map(_split_of, titles)) else splits


def _split_of(name: str) -> str | None:
    """Returns the split that a name has in it, as "train2017" and "person_keypoints_val" have."""
    found = {split_called(word) for word in re.split(r"[^a-z]+", name.lower())} - {None}
    return found.pop() if len(found) == 1 else None


def _categories(
    files: Sequence[CocoFile],
) -> tuple[tuple[str, ...], dict[str, int], tuple[DataError, ...]]:
    """Returns the classes in the order of their ids, their ids, and where files contradict."""
    ids: dict[str, int] = {}
    notes = []
    for file in files:
        for number, name in sorted(file.categories.items()):
            if ids.setdefault(name, number) != number:
                problem = f"category {name!r} has the ids {ids[name]} and {number}"
                notes.append(file.fault(problem, "they are taken for one class"))
    return tuple(sorted(ids, key=lambda name: (ids[name], name))), ids, tuple(notes)
