"""Finds YOLO data: a YAML file with the names of the classes and the folders of the splits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.layout import Splits, complete, is_file, safe_join
from frcnn_cli.data.formats.yolo import YoloReader
from frcnn_cli.data.images import find_images
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading

LARGEST_YAML = 1 << 20
"""Bytes of a `data.yaml` beyond which it is none."""

SPLITS = ("train", "val", "test")
FIRST = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
"""Names that are tried before other YAML files of the folder."""


def find_yolo(root: Path) -> Dataset | None:
    """Returns the YOLO data set of the YAML file in `root`, or None.

    Its images have to be in `root`: entries that lead out of it, as "../train/images" of some
    exports, are looked for inside.

    Raises:
        DataError: the `data.yaml` is damaged, or names folders that are not there.
    """
    others = sorted(p.name for p in root.iterdir() if p.suffix.lower() in {".yaml", ".yml"})
    for name in dict.fromkeys((*FIRST, *others)):
        path = root / name
        if not is_file(path):
            continue
        try:
            content = _load(path)
        except DataError:
            if name in FIRST:
                raise
            continue
        if isinstance(content, dict) and "names" in content and content.keys() & set(SPLITS):
            return _dataset(path, content)
    return None


def _dataset(path: Path, content: Mapping[str, Any]) -> Dataset:
    names = _class_names(path, content["names"])
    root = path.parent
    base = _base(root, content.get("path"))
    splits: Splits = {}
    outside: list[str] = []
    for split in SPLITS:
        entries = content.get(split)
        if entries:
            listed = entries if isinstance(entries, list) else [entries]
            members = [m for entry in listed for m in _photographs(path, base, entry, outside)]
            splits[split] = tuple(dict.fromkeys(members))
    if splits.get("val") in (splits.get("train", ()), splits.get("test", ())):
        splits.pop("val", None)  # tools that insist on a `val` are given other images
    ids = tuple(dict.fromkeys(member for members in splits.values() for member in members))
    classes = tuple(dict.fromkeys(names[number] for number in sorted(names)))
    numbers = {name: number for number, name in sorted(names.items(), reverse=True)}
    reader = YoloReader(root, names, "kpt_shape" in content)
    if not any(is_file(reader.locate(image_id)[1]) for image_id in ids):
        raise DataError(
            f"lists {len(ids):,} images, and none has a label file",
            remedy="put the text files into `labels` beside `images`, or beside the images",
            file=path,
        )
    notes = [
        DataError(
            f"lists {len(outside):,} images outside of {root}, such as {first[:200]!r}",
            remedy="list paths relative to the data.yaml; they are not used",
            file=path,
        )
        for first in outside[:1]
    ]
    return Dataset(
        f"YOLO {path.name} in",
        root,
        ids,
        complete(splits),
        reader,
        classes,
        numbers,
        tuple(notes),
    )


def _load(path: Path) -> Any:
    """Returns the YAML's lists, mappings and texts; no number, date or object is made."""
    with reading(path):
        if path.stat().st_size > LARGEST_YAML:
            raise DataError(
                f"has more than {LARGEST_YAML:,} bytes", remedy="check the file", file=path
            )
        content = path.read_bytes()
    try:
        # Every scalar stays text: a class may be called "no" or "2024-01-01".
        return yaml.load(content.decode("utf-8-sig"), Loader=yaml.BaseLoader)  # type: ignore[no-untyped-call]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        told = " ".join(str(error).split())[:200]
        raise DataError(f"is not YAML ({told})", remedy="fix the file", file=path) from error


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


def _base(root: Path, path: Any) -> Path:
    """Returns the folder to which entries are relative: `path` of the file, if it is in `root`."""
    if isinstance(path, str) and (base := safe_join(root, path)) and base.is_dir():
        return base
    return root


def _photographs(path: Path, base: Path, entry: Any, outside: list[str]) -> list[str]:
    """Returns the ids of the images that an entry names: a folder, or a text file of paths.

    Paths in a text file that lead out of the data set join `outside`.
    """
    root = path.parent
    if not isinstance(entry, str):
        raise DataError(
            f"has the entry {str(entry)[:60]!r}", remedy="name a folder or a list", file=path
        )
    there = [place for place in _places(root, (base, root), entry) if place.exists()]
    if not there:
        raise DataError(
            f"names {entry[:200]!r}, which is not in {root}",
            remedy="put the images beside the file, and name their folder relative to it",
            file=path,
        )
    if there[0].is_dir():
        found = find_images([there[0]])
    else:
        found = []
        for line in _lines(there[0]):
            places = _places(root, (there[0].parent, base, root), line)
            found += [p for p in places if is_file(p)][:1] or places[:1]
            outside += [] if places else [line]
    return [each.relative_to(root).as_posix() for each in found]


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            "cannot be read as text", remedy="list paths in UTF-8", file=path
        ) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def _places(root: Path, bases: Iterable[Path], entry: str) -> list[Path]:
    """Returns where in `root` the path `entry` may lead to; none where it leads out of it."""
    text = entry.replace("\\", "/")
    if text.startswith("/") and Path(text).is_relative_to(root.absolute()):
        return [root / Path(text).relative_to(root.absolute())]
    while text.startswith(("../", "./")):
        text = text.removeprefix("../").removeprefix("./")
    return [place for base in bases if (place := safe_join(base, text)) is not None]
