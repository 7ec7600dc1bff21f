"""Finds data annotated in PASCAL VOC XML: a devkit, a year folder, or images beside their XML."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import partial
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.image_names import not_used, unused_files
from frcnn_cli.data.formats.layout import (
    Splits,
    Unused,
    complete,
    folders,
    ignore,
    split_called,
)
from frcnn_cli.data.formats.voc import VocReader
from frcnn_cli.data.formats.voc_folder import VocFolder
from frcnn_cli.data.formats.voc_lists import read_lists
from frcnn_cli.data.formats.voc_xml import read_annotation
from frcnn_cli.data.image_files import walk_names
from frcnn_cli.errors import AnnotationError, DataError, count

YEAR = re.compile(r"VOC20\d\d")
IMAGE_FOLDERS = ("jpegimages", "images", "data")
ANNOTATION_FOLDERS = ("annotations", "labels")
_BESIDE = "images beside VOC XML in"


def find_devkit(root: Path, unused: Unused = ignore) -> Dataset | None:
    """Returns the years `VOC20xx` in `root` as one data set, splits of a name joined; or None.

    The ids of several years start with their year, as in "VOC2007/000012", and each year's own
    splits are there too, as in "trainval2007". With 2007 and 2012 there is "07+12", the union of
    their `trainval` on which the paper trains (§4.4).
    """
    years = {
        path.name: folder
        for path in folders(root)
        if YEAR.fullmatch(path.name) and (folder := _year_folder(path, unused))
    }
    if not years:
        return None
    if len(years) == 1:
        ((name, folder),) = years.items()
        return _of_one("VOC devkit", root, folder, root / name)
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


def find_year(root: Path, unused: Unused = ignore) -> Dataset | None:
    """Returns `root` as a VOC year folder, or None.

    That is `JPEGImages` (or `images`, `data`), `Annotations` (or `labels`) with XML files, maybe
    in folders of their own, and maybe `ImageSets/Main`.
    """
    folder = _year_folder(root, unused)
    return _of_one("VOC year folder", root, folder, root) if folder else None


def find_beside(root: Path, unused: Unused = ignore) -> Dataset | None:
    """Returns the images beside their XML in `root`, or in its folders `train`, `val` and `test`.

    Those folders may also hold a folder of images and one of XML files each. An image without XML
    is not part of the data set: nobody has looked at it yet. None where no XML file has an image.
    """
    parts: dict[str, VocFolder] = {}
    splits: Splits = {}
    notes: list[DataError] = []
    for path in folders(root):
        split = split_called(path.name)
        folder = (_year_folder(path, unused) or _pairs(path, unused)) if split else None
        if split and folder:
            parts[path.name] = folder
            members = tuple(f"{path.name}/{stem}" for stem in folder.xml)
            splits[split] = splits.get(split, ()) + members
            notes += _unannotated(folder)
    if parts:
        others = [name for name in walk_names(root) if name.partition("/")[0] not in parts]
        notes += unused_files(root, others, (), "image", "without XML")
        ids = tuple(image_id for members in splits.values() for image_id in members)
        reader = VocReader(parts)
        return Dataset(_BESIDE, root, ids, complete(splits), reader, notes=tuple(notes))
    lone = _pairs(root, unused)
    return _of_one(_BESIDE, root, lone, root) if lone else None


def _of_one(title: str, root: Path, folder: VocFolder, lists: Path) -> Dataset:
    """Returns the data set `root` of a single folder, whose lists are below `lists`."""
    ids, splits, notes = _year_ids(lists, folder, "")
    return Dataset(title, root, ids, complete(splits), VocReader({"": folder}), notes=notes)


def _year_folder(root: Path, unused: Unused) -> VocFolder | None:
    by_name = {path.name.lower(): path for path in folders(root)}
    images = next((by_name[name] for name in IMAGE_FOLDERS if name in by_name), None)
    for name in ANNOTATION_FOLDERS:
        if name in by_name:
            home = _home(by_name[name], images)
            if folder := _with_images(VocFolder(home, images or root), unused):
                return folder
    return None


def _home(annotations: Path, images: Path | None) -> Path:
    """Returns where XML files are: in `annotations`, or in its only folder, as `xmls` of Oxford.

    A folder that the images have too, such as `day1`, is part of their names.
    """
    below = folders(annotations)
    if len(below) == 1 and not any(p.suffix.lower() == ".xml" for p in annotations.iterdir()):
        name = below[0].name
        if not split_called(name) and not (images and (images / name).is_dir()):
            return below[0]
    return annotations


def _pairs(root: Path, unused: Unused) -> VocFolder | None:
    return _with_images(VocFolder(root, root), unused)


def _with_images(folder: VocFolder, unused: Unused) -> VocFolder | None:
    """Returns the folder if one of its XML files has an image; others may be of something else."""
    if not folder.xml or folder.names_images():
        return folder if folder.xml else None
    stem = next(iter(folder.xml))
    path = folder.source(stem)
    try:
        read_annotation(path, partial(folder.image, stem))
    except AnnotationError as error:
        total = len(folder.xml)
        more = f", and so for {total:,} XML files of {folder.annotations}" if total > 1 else ""
        unused(AnnotationError(f"{error.problem}{more}", remedy=error.remedy, file=path))
    return None


def _year_ids(
    root: Path, folder: VocFolder, prefix: str
) -> tuple[tuple[str, ...], Splits, tuple[DataError, ...]]:
    """Returns a year's ids and splits, from its lists or else from its XML files, and notes."""
    lists, notes = read_lists(root, folder)
    lists = lists or _by_folder(folder)
    splits = {
        name: tuple(f"{prefix}{member}" for member in members) for name, members in lists.items()
    }
    ids = tuple(dict.fromkeys(member for members in lists.values() for member in members))
    if lists and (unlisted := len(folder.xml.keys() - {*ids})):
        notes.append(
            DataError(
                f"has {count(unlisted, 'XML file')} that no list names",
                remedy=not_used(unlisted),
                file=folder.annotations,
            )
        )
    if len(lists) == 1 and not any(map(split_called, lists)):
        splits = {}  # such as CVAT's default.txt
    ids = tuple(f"{prefix}{member}" for member in (ids or folder.xml))
    return ids, splits, (*notes, *_unannotated(folder))


def _by_folder(folder: VocFolder) -> Splits:
    """Returns the splits if all folders of XML files, or else of their images, are called so."""
    places = {stem: stem if "/" in stem else folder.place(stem) for stem in folder.xml}
    tops = {stem: place.rpartition("/")[0].partition("/")[0] for stem, place in places.items()}
    if not all(split_called(top) for top in tops.values() if top):
        return {}
    members: dict[str, list[str]] = defaultdict(list)
    for stem, top in tops.items():
        if split := split_called(top):
            members[split].append(stem)
    return {split: tuple(stems) for split, stems in members.items()}


def _unannotated(folder: VocFolder) -> list[DataError]:
    return unused_files(folder.images, folder.without_xml(), (), "image", "without XML")
