"""Finds data annotated in PASCAL VOC XML: a devkit, a year folder, or images beside their XML."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.layout import Splits, complete, folders, is_image_name, split_called
from frcnn_cli.data.formats.voc import VocFolder, VocReader
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading

YEAR = re.compile(r"VOC20\d\d")
IMAGE_FOLDERS = ("jpegimages", "images")
ANNOTATION_FOLDERS = ("annotations",)
OF_ONE_CLASS = re.compile(r"\s(-1|0|1)$")
"""How the lines end in the devkit's lists of one class, such as "dog_train.txt"."""


def find_devkit(root: Path) -> Dataset | None:
    """Returns the years `VOC20xx` in `root` as one data set, splits of a name joined; or None.

    The ids of several years start with their year, as in "VOC2007/000012", and each year's own
    splits are there too, as in "trainval2007". With 2007 and 2012 there is "07+12", the union of
    their `trainval` on which the paper trains (§4.4).
    """
    years = {
        path.name: folder
        for path in folders(root)
        if YEAR.fullmatch(path.name) and (folder := _year_folder(path))
    }
    if not years:
        return None
    if len(years) == 1:
        ((name, folder),) = years.items()
        ids, splits, notes = _year_ids(root / name, folder, "")
        kept = complete(splits)
        return Dataset("VOC devkit", root, ids, kept, VocReader({"": folder}), notes=notes)
    all_ids: list[str] = []
    all_notes: list[DataError] = []
    joined: Splits = {}
    own: Splits = {}
    for name, folder in years.items():
        ids, splits, notes = _year_ids(root / name, folder, f"{name}/")
        all_ids += ids
        all_notes += notes
        for split, members in splits.items():
            joined[split] = joined.get(split, ()) + members
            own[f"{split}{name.removeprefix('VOC')}"] = members
    if "trainval2007" in own and "trainval2012" in own:
        own["07+12"] = own["trainval2007"] + own["trainval2012"]
    return Dataset(
        f"VOC devkit ({', '.join(years)})",
        root,
        tuple(all_ids),
        complete(joined) | own,
        VocReader(years),
        notes=tuple(all_notes),
    )


def find_year(root: Path) -> Dataset | None:
    """Returns `root` as a VOC year folder, or None.

    That is `JPEGImages` (or `images`), `Annotations` with XML files, and maybe `ImageSets/Main`.
    """
    folder = _year_folder(root)
    if folder is None:
        return None
    ids, splits, notes = _year_ids(root, folder, "")
    kept = complete(splits)
    return Dataset("VOC year folder", root, ids, kept, VocReader({"": folder}), notes=notes)


def find_beside(root: Path) -> Dataset | None:
    """Returns the images beside their XML in `root`, or in its folders `train`, `val` and `test`.

    An image without XML is not part of the data set: nobody has looked at it yet. None where no
    XML file has an image beside it.
    """
    kind = "images beside VOC XML in"
    parts: dict[str, VocFolder] = {}
    splits: Splits = {}
    for path in folders(root):
        split = split_called(path.name)
        if split and _has_pairs(path):
            parts[path.name] = VocFolder(path, path)
            members = tuple(f"{path.name}/{stem}" for stem in _stems(path))
            splits[split] = splits.get(split, ()) + members
    if parts:
        ids = tuple(image_id for members in splits.values() for image_id in members)
        return Dataset(kind, root, ids, complete(splits), VocReader(parts))
    if _has_pairs(root):
        ids = tuple(_stems(root))
        return Dataset(kind, root, ids, {}, VocReader({"": VocFolder(root, root)}))
    return None


def _year_folder(root: Path) -> VocFolder | None:
    by_name = {path.name.lower(): path for path in folders(root)}
    images = next((by_name[name] for name in IMAGE_FOLDERS if name in by_name), None)
    annotations = next((by_name[name] for name in ANNOTATION_FOLDERS if name in by_name), None)
    if images is None or annotations is None or next(_xml_files(annotations), None) is None:
        return None
    return VocFolder(annotations, images)


def _year_ids(
    root: Path, folder: VocFolder, prefix: str
) -> tuple[tuple[str, ...], Splits, tuple[DataError, ...]]:
    """Returns a year's ids and splits, from its lists or else from its XML files, and notes.

    A list of which nothing is annotated, such as the test list of VOC2012, is noted and not used.
    """
    stems = frozenset(_stems(folder.annotations))
    splits: Splits = {}
    notes = []
    for path in sorted((root / "ImageSets" / "Main").glob("*.txt")):
        members = _read_list(path, stems)
        if stems.isdisjoint(members):
            if members:
                remedy = f"add its XML files to {folder.annotations}; the list is not used"
                notes.append(DataError("lists no annotated image", remedy=remedy, file=path))
            continue
        splits[path.stem] = tuple(f"{prefix}{member}" for member in members)
    if splits:
        ids = tuple(dict.fromkeys(member for members in splits.values() for member in members))
    else:
        ids = tuple(f"{prefix}{stem}" for stem in sorted(stems))
    return ids, splits, tuple(notes)


def _read_list(path: Path, stems: frozenset[str]) -> tuple[str, ...]:
    """Returns the ids in a list of `ImageSets/Main`, each once; of a list of one class, none.

    Args:
        path: the list.
        stems: ids that have an annotation: "photo 1" may be one.
    """
    members: dict[str, None] = {}
    try:
        with reading(path), path.open(encoding="utf-8-sig") as lines:
            for line in filter(None, map(str.strip, lines)):
                if line not in stems and OF_ONE_CLASS.search(line):
                    return ()
                member = line if line in stems or not is_image_name(line) else Path(line).stem
                if member in {".", ".."} or re.search(r"[/\\\x00]", member):
                    raise DataError(
                        f"lists {member[:80]!r}, which is a path",
                        remedy="list names without folders",
                        file=path,
                    )
                members[member] = None
    except UnicodeDecodeError as error:
        raise DataError(
            "is not UTF-8 text", remedy="save it with that encoding", file=path
        ) from error
    return tuple(members)


def _xml_files(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.endswith(".xml") and not name.startswith(".") and entry.is_file():
                yield name


def _stems(folder: Path) -> list[str]:
    return sorted(name.removesuffix(".xml") for name in _xml_files(folder))


def _has_pairs(folder: Path) -> bool:
    """Returns whether an XML file in `folder` has an image of its name beside it."""
    xml = {name.removesuffix(".xml") for name in _xml_files(folder)}
    return bool(xml) and any(
        is_image_name(path.name) and path.stem in xml and path.is_file()
        for path in folder.iterdir()
    )
