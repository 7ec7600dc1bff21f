"""Data sets annotated in PASCAL VOC XML: a devkit, a year folder, or images beside their XML."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.data.dataset import Dataset, Record
from frcnn_cli.data.images import SUFFIXES
from frcnn_cli.data.voc_xml import read_annotation, read_names
from frcnn_cli.errors import AnnotationError, DataError

YEAR = re.compile(r"VOC20\d\d")
IMAGE_FOLDERS = ("jpegimages", "images")
ANNOTATION_FOLDERS = ("annotations",)
SPLIT_FOLDERS: Mapping[str, str] = {
    "train": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}
"""Names, in lower case, of folders that are splits, and which."""

Splits = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class VocFolder:
    """Where the XML files of one folder are, and their photographs."""

    annotations: Path
    images: Path


@dataclass(frozen=True, slots=True)
class VocReader:
    """Reads VOC XML files; an id is the XML's name, after its folder's key and "/" if that has one.

    Attributes:
        folders: the folders by key; "" is a folder whose ids have none.
    """

    folders: Mapping[str, VocFolder]

    def read(self, image_id: str) -> Record:
        """Returns what the XML says, and the photograph it belongs to.

        Raises:
            AnnotationError: there is no such XML, it cannot be trusted, or it has no photograph.
        """
        folder, source = self._locate(image_id)
        annotation = read_annotation(source)
        photograph = _photograph(folder.images, source.stem, annotation.filename)
        if photograph is None:
            named = f" nor {annotation.filename!r}" if annotation.filename else ""
            raise AnnotationError(
                f"has no photograph: neither {source.stem!r} with an image's ending{named} "
                f"is in {folder.images}",
                remedy="add the photograph or remove the annotation",
                file=source,
            )
        return Record(photograph, source, annotation.names, annotation.boxes, annotation.difficult)

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in a photograph.

        Raises:
            AnnotationError: there is no such XML, or it cannot be read.
        """
        return frozenset(read_names(self._locate(image_id)[1]))

    def _locate(self, image_id: str) -> tuple[VocFolder, Path]:
        key, _, stem = image_id.rpartition("/")
        folder = self.folders[key]
        return folder, folder.annotations / f"{stem}.xml"


def find_devkit(root: Path) -> Dataset | None:
    """Returns the years `VOC20xx` in `root` as one data set, splits of a name joined; or None.

    The ids of several years start with their year, as in "VOC2007/000012".
    """
    years = {
        path.name: folder
        for path in _folders(root)
        if YEAR.fullmatch(path.name) and (folder := _year_folder(path))
    }
    if not years:
        return None
    if len(years) == 1:
        ((name, folder),) = years.items()
        ids, splits = _year_ids(root / name, folder, "")
        return _dataset("VOC devkit", root, {"": folder}, ids, splits)
    all_ids: list[str] = []
    joined: Splits = {}
    for name, folder in years.items():
        ids, splits = _year_ids(root / name, folder, f"{name}/")
        all_ids += ids
        for split, members in splits.items():
            joined[split] = joined.get(split, ()) + members
    kind = f"VOC devkit ({', '.join(years)})"
    return _dataset(kind, root, years, tuple(all_ids), joined)


def find_year(root: Path) -> Dataset | None:
    """Returns `root` as a VOC year folder, or None.

    That is `JPEGImages` (or `images`), `Annotations` with XML files, and maybe `ImageSets/Main`.
    """
    folder = _year_folder(root)
    if folder is None:
        return None
    ids, splits = _year_ids(root, folder, "")
    return _dataset("VOC year folder", root, {"": folder}, ids, splits)


def find_beside(root: Path) -> Dataset | None:
    """Returns the images beside their XML in `root`, or in its folders `train`, `val` and `test`.

    An image without XML is not part of the data set: nobody has looked at it yet. None where no
    XML file has an image beside it.
    """
    folders: dict[str, VocFolder] = {}
    splits: Splits = {}
    for path in _folders(root):
        split = SPLIT_FOLDERS.get(path.name.lower())
        if split and _has_pairs(path):
            folders[path.name] = VocFolder(path, path)
            members = tuple(f"{path.name}/{stem}" for stem in _stems(path))
            splits[split] = splits.get(split, ()) + members
    if folders:
        ids = tuple(image_id for members in splits.values() for image_id in members)
        return _dataset("images beside VOC XML in", root, folders, ids, splits)
    if _has_pairs(root):
        ids = tuple(_stems(root))
        return _dataset("images beside VOC XML in", root, {"": VocFolder(root, root)}, ids, {})
    return None


def _dataset(
    kind: str, root: Path, folders: Mapping[str, VocFolder], ids: tuple[str, ...], splits: Splits
) -> Dataset:
    if "trainval" not in splits and "train" in splits:
        splits = {**splits, "trainval": splits["train"] + splits.get("val", ())}
    order = ("train", "val", "trainval", "test")
    known = {name: splits[name] for name in order if name in splits}
    return Dataset(kind, root, ids, {**known, **splits}, VocReader(folders))


def _year_folder(root: Path) -> VocFolder | None:
    by_name = {path.name.lower(): path for path in _folders(root)}
    images = next((by_name[name] for name in IMAGE_FOLDERS if name in by_name), None)
    annotations = next((by_name[name] for name in ANNOTATION_FOLDERS if name in by_name), None)
    if images is None or annotations is None or next(_xml_files(annotations), None) is None:
        return None
    return VocFolder(annotations, images)


def _year_ids(root: Path, folder: VocFolder, prefix: str) -> tuple[tuple[str, ...], Splits]:
    """Returns the ids and splits of a year: the lists' ids, or every XML file's without lists."""
    lists = root / "ImageSets" / "Main"
    splits: Splits = {}
    for path in sorted(lists.glob("*.txt")):
        members = _read_list(path)
        if members:
            splits[path.stem] = tuple(f"{prefix}{member}" for member in members)
    if splits:
        ids = dict.fromkeys(member for members in splits.values() for member in members)
    else:
        ids = dict.fromkeys(f"{prefix}{stem}" for stem in _stems(folder.annotations))
    return tuple(ids), splits


def _read_list(path: Path) -> tuple[str, ...]:
    """Returns the ids in a list of `ImageSets/Main`, each once.

    The devkit's lists of one class ("dog_train.txt") have 1, 0 or -1 after the id: they are no
    splits, and give nothing.
    """
    members: dict[str, None] = {}
    try:
        with path.open(encoding="utf-8-sig") as lines:
            for line in filter(None, map(str.strip, lines)):
                if re.search(r"\s(-1|0|1)$", line):
                    return ()
                member = line[: -len(Path(line).suffix)] if _is_photograph(line) else line
                if member in {".", ".."} or re.search(r"[/\\]", member):
                    raise DataError(
                        f"lists {member[:80]!r}, which is a path",
                        remedy="list names without folders",
                        file=path,
                    )
                members[member] = None
    except OSError as error:
        raise DataError(
            f"cannot be read ({error.strerror})", remedy="check the file", file=path
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            "is not UTF-8 text", remedy="save it with that encoding", file=path
        ) from error
    return tuple(members)


def _photograph(folder: Path, stem: str, filename: str) -> Path | None:
    """Returns the file in `folder` with the XML's own name, or the one the XML names, or None."""
    names = [stem + suffix for suffix in SUFFIXES] + [stem + s.upper() for s in SUFFIXES]
    if filename not in {"", ".", ".."}:
        names.append(filename)
    for name in names:
        path = folder / name
        # Path.is_file raises on a name that is too long or has a zero byte; this is just False.
        if os.path.isfile(path):  # noqa: PTH113
            return path
    return None


def _folders(root: Path) -> list[Path]:
    """Returns the folders in `root`, sorted, without hidden ones."""
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def _xml_files(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".xml") and not entry.name.startswith("."):
                yield entry.name


def _stems(folder: Path) -> list[str]:
    return sorted(name.removesuffix(".xml") for name in _xml_files(folder))


def _has_pairs(folder: Path) -> bool:
    """Says whether an XML file in `folder` has a photograph of its name beside it."""
    photographs = {
        path.stem for path in folder.iterdir() if _is_photograph(path.name) and path.is_file()
    }
    return any(name.removesuffix(".xml") in photographs for name in _xml_files(folder))


def _is_photograph(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)
