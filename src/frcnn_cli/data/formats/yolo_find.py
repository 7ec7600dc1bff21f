"""Finds YOLO data: what names its classes and splits, in YAML, darknet's `obj.data` or neither."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.image_names import unused_files
from frcnn_cli.data.formats.layout import (
    Splits,
    Unused,
    complete,
    ignore,
    is_file,
    split_called,
)
from frcnn_cli.data.formats.yolo import YoloReader
from frcnn_cli.data.formats.yolo_labels import LabelFiles
from frcnn_cli.data.formats.yolo_paths import EntryFinder, class_lines
from frcnn_cli.data.formats.yolo_yaml import load_darknet, load_yaml
from frcnn_cli.errors import DataError

FIRST = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
"""Names that are tried before other YAML files of the folder."""

CLASS_LISTS = ("classes.txt", "obj.names", "labels/classes.txt")
"""Files that name the classes, a line each, where nothing names the splits."""


def find_yolo(root: Path, unused: Unused = ignore) -> Dataset | None:
    """Returns the YOLO data set of `root`, or None.

    A YAML file or darknet's `*.data` names its classes and splits, or a `classes.txt` its classes.
    Its images have to be in `root`: entries that lead out of it, as "../train/images" of some
    exports, are looked for inside.

    Args:
        root: the folder.
        unused: receives the files that are not used.

    Raises:
        DataError: the `data.yaml` is damaged, or nothing that it names is there.
    """
    names = sorted(path.name for path in root.iterdir() if path.is_file())
    yamls = [name for name in names if name.lower().endswith((".yaml", ".yml"))]
    for name in dict.fromkeys((*FIRST, *yamls)):
        if name not in names:
            continue
        try:
            content = load_yaml(root / name)
        except DataError as error:
            if name in FIRST:
                raise
            unused(error)
            continue
        if "names" in content and any(map(split_called, content)):
            return _from_entries(root / name, content)
    for name in names:
        if name.lower().endswith(".data") and (content := load_darknet(root / name)):
            return _from_entries(root / name, content)
    return _without_yaml(root)


def _from_entries(path: Path, content: Mapping[str, Any]) -> Dataset:
    """Returns the data set of a file that names splits; those that are not there are noted."""
    names = _class_names(path, content["names"])
    finder = EntryFinder(path, content.get("path"))
    splits: Splits = {}
    missing: list[DataError] = []
    for key, entries in content.items():
        split = split_called(key)
        if split is None or entries in (None, "", "null", "~", "None"):
            continue
        members: dict[str, None] = {}
        for entry in entries if isinstance(entries, list) else [entries]:
            try:
                members.update(dict.fromkeys(finder.images(entry)))
            except DataError as error:
                missing.append(error)
        if members:
            splits[split] = tuple(dict.fromkeys((*splits.get(split, ()), *members)))
    if not splits:
        raise (
            missing[0]
            if missing
            else DataError("names no images", remedy="give it `train` and `val`", file=path)
        )
    for name in ("train", "test"):  # tools that insist on a `val` are given other images
        if "val" in splits and splits["val"] == splits.get(name):
            del splits["val"]
            problem = f"names the images of `{name}` as `val` too"
            missing.append(DataError(problem, remedy="there is no val", file=path))
    return _dataset(
        path,
        names,
        splits,
        LabelFiles(path.parent),
        f"that {path.name} does not name",
        notes=[*missing, *finder.notes],
        keypoints="kpt_shape" in content,
    )


def _dataset(
    path: Path,
    names: Mapping[int, str],
    splits: Splits,
    files: LabelFiles,
    unused: str,
    *,
    notes: Sequence[DataError] = (),
    keypoints: bool = False,
    ids: Sequence[str] = (),
) -> Dataset:
    root = path.parent
    ids = tuple(dict.fromkeys((*ids, *(each for members in splits.values() for each in members))))
    labels = files.of(ids)
    if not labels:
        raise _without_labels(path, ids)
    names_of_files = Counter(image_id.rpartition(".")[0] for image_id in ids)
    shared = frozenset(name for name, count in names_of_files.items() if count > 1)
    classes = tuple(dict.fromkeys(names[number] for number in sorted(names)))
    numbers = {name: number for number, name in sorted(names.items(), reverse=True)}
    if len(classes) < len(names):
        notes = [*notes, _repeated_class(path, names)]
    return Dataset(
        f"YOLO {path.name} in",
        root,
        ids,
        complete(splits),
        YoloReader(root, names, keypoints, labels, shared),
        classes,
        numbers,
        (
            *notes,
            *unused_files(root, files.images, frozenset(ids), "image", unused),
            *unused_files(root, files.without_image(labels), (), "label file", "without an image"),
        ),
    )


def _repeated_class(path: Path, names: Mapping[int, str]) -> DataError:
    name = Counter(names.values()).most_common(1)[0][0]
    numbers = " and ".join(str(number) for number, each in sorted(names.items()) if each == name)
    problem = f"names {name!r} as the classes {numbers}"
    return DataError(problem, remedy="they are taken for one", file=path)


def _without_labels(path: Path, ids: Sequence[str]) -> DataError:
    if not any(is_file(path.parent / image_id) for image_id in ids):
        return DataError(
            f"lists {len(ids):,} images, and none of them, such as {ids[0][:200]!r}, "
            f"is in {path.parent}",
            remedy="put the images beside the file, and list their paths relative to it",
            file=path,
        )
    return DataError(
        f"lists {len(ids):,} images, and none has a label file",
        remedy="put the text files into `labels` beside `images`, or beside the images",
        file=path,
    )


def _without_yaml(root: Path) -> Dataset | None:
    """Returns images with label files, if a `classes.txt` in `root` names the classes."""
    path = next((root / name for name in CLASS_LISTS if is_file(root / name)), None)
    if path is None:
        return None
    lines = class_lines(path)
    lists = {path.name for path in root.glob("*.txt") if split_called(path.stem)}
    if lines and lists:
        return _from_entries(root / path.name, {"names": lines, **{n[:-4]: n for n in lists}})
    files = LabelFiles(root)
    labelled = list(files.of(files.images))
    if not lines or not labelled:
        return None
    names = dict(enumerate(lines))
    splits = _by_folder(labelled)
    return _dataset(root / path.name, names, splits, files, "without a label file", ids=labelled)


def _by_folder(ids: Sequence[str]) -> Splits:
    """Returns the splits if each image is in the folder of one, such as "images/train"."""
    members: dict[str, list[str]] = defaultdict(list)
    for image_id in ids:
        found = {split_called(part) for part in image_id.split("/")[:-1]} - {None}
        if len(found) != 1:
            return {}
        members[str(found.pop())].append(image_id)
    return {split: tuple(each) for split, each in members.items()}


def _class_names(path: Path, names: Any) -> dict[int, str]:
    """Returns the class of each number, from a list or from a mapping."""
    pairs = list(enumerate(names)) if isinstance(names, list) else None
    if isinstance(names, dict):
        try:
            pairs = [(int(number), name) for number, name in names.items()]
        except (TypeError, ValueError):
            pairs = None
    if not pairs or not all(isinstance(name, str) and name.strip() for _, name in pairs):
        raise DataError(
            "has no list of class names",
            remedy="give `names` as a list, or as numbers with their names",
            file=path,
        )
    return {number: " ".join(name.split()) for number, name in pairs}
