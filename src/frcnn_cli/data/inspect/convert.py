"""Another format of a data set, written into a new folder."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.coco import CocoReader
from frcnn_cli.data.formats.layout import Splits, is_image_name
from frcnn_cli.data.images import image_size
from frcnn_cli.data.inspect.writers import (
    CocoFolderWriter,
    DatasetWriter,
    Format,
    Item,
    VocFolderWriter,
    YoloFolderWriter,
)
from frcnn_cli.data.open import own_numbers
from frcnn_cli.errors import ConfigError, DataError, FrcnnError
from frcnn_cli.files import atomic_folder, writing
from frcnn_cli.plotting.save import free_name
from frcnn_cli.runtime.progress import Progress, silent, tracked

_UNWRITABLE = re.compile("[\x00-\x1f\x7f/\\\\\ud800-\udfff\ufeff\ufffe\uffff]")
_LONGEST = 200
"""Bytes of a name, of the 255 that file systems take, so that an ending has room."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A data set that was written.

    Attributes:
        folder: where.
        images: how many.
        splits: those that were written, with their images.
        left_out: splits that share images with others, which the format cannot say.
        failures: images that cannot be used, and why.
    """

    folder: Path
    images: int
    splits: Mapping[str, int]
    left_out: tuple[str, ...]
    failures: tuple[FrcnnError, ...]


def convert(
    dataset: Dataset, out: Path, to: Format, *, link: bool = False, progress: Progress = silent
) -> Conversion:
    """Writes a data set in another format, all of it or, where it is interrupted, nothing.

    Boxes are those that training would use: checked, and clipped to their images.

    Args:
        dataset: with splits.
        out: a folder that is not there yet, or is empty, outside of the data set.
        to: the format.
        link: whether images become symbolic links and not copies.
        progress: called after each image.

    Raises:
        ConfigError: `out` is not such a folder, or cannot be written.
        DataError: no annotation that can be read has an object.
    """
    _check(dataset, out)
    splits = _splits_for(to, dataset.splits)
    split_of = {image_id: name for name, ids in splits.items() for image_id in ids}
    failures: list[FrcnnError] = []
    written: set[str] = set()
    taken: set[str] = set()
    with writing(out, remedy="choose another folder with --out"), atomic_folder(out) as folder:
        writer = _writer(to, folder, splits, dataset)
        for image_id, split in tracked(split_of.items(), "Converting", progress):
            try:
                record = dataset.record(image_id)
                size = record.size or image_size(record.path)
                stem = free_name(_stem(record.path), taken)
                place = writer.add(Item(image_id, split, stem, size, record))
            except DataError as error:
                failures.append(error)
            else:
                _put(record.path, place, link)
                written.add(image_id)
        writer.close()
    counts = {name: len(written.intersection(ids)) for name, ids in splits.items()}
    left_out = tuple(name for name, ids in dataset.splits.items() if not _is_said(ids, splits))
    return Conversion(out, len(written), counts, left_out, tuple(failures))


def _splits_for(to: Format, splits: Mapping[str, tuple[str, ...]]) -> Splits:
    """Returns the splits that a format can say: VOC all of them, the others disjoint ones."""
    if to == "voc":
        return dict(splits)
    chosen = _disjoint(splits)
    if to == "coco":
        return chosen
    if "trainval" in chosen:
        chosen = {"train": chosen.pop("trainval"), **chosen}
    return {name: chosen[name] for name in ("train", "val", "test") if name in chosen}


def _is_said(ids: tuple[str, ...], splits: Splits) -> bool:
    """Returns whether a split is one of `splits`, or the sum of train and val."""
    members = set(ids)
    both = {*splits.get("train", ()), *splits.get("val", ())}
    return members == both or any(members == set(other) for other in splits.values())


def _writer(to: Format, folder: Path, splits: Splits, dataset: Dataset) -> DatasetWriter:
    if to == "voc":
        return VocFolderWriter(folder, splits)
    first = 1 if to == "coco" else 0
    numbers = {name: number for number, name in enumerate(dataset.classes, first)}
    if to == "yolo":
        return YoloFolderWriter(folder, splits, numbers)
    given = {name: dataset.categories[name] for name in numbers if name in dataset.categories}
    keep = len(given) == len(numbers) and isinstance(dataset.reader, CocoReader)
    return CocoFolderWriter(folder, splits, given if keep else numbers, _image_numbers(dataset))


def _image_numbers(dataset: Dataset) -> dict[str, int] | None:
    """Returns the numbers that COCO files give the images, where they are different ones."""
    found = own_numbers(dataset, dataset.ids).images
    numbers = {image_id: number for image_id, number in found.items() if isinstance(number, int)}
    return numbers if len({*numbers.values()}) == len(dataset.ids) else None


def _disjoint(splits: Mapping[str, tuple[str, ...]]) -> Splits:
    """Returns splits of which no two share an image: train, val and test before others."""
    chosen: Splits = {}
    taken: set[str] = set()
    for name in sorted(splits, key=lambda name: name not in {"train", "val", "test"}):
        if splits[name] and taken.isdisjoint(splits[name]):
            chosen[name] = splits[name]
            taken.update(splits[name])
    return chosen


def _check(dataset: Dataset, out: Path) -> None:
    source, target = dataset.root.resolve(), out.resolve()
    if target.is_relative_to(source) or source.is_relative_to(target):
        raise ConfigError(
            f"is not apart from the data set {dataset.root}",
            remedy="name a folder elsewhere with --out",
            file=out,
        )
    if target == Path.cwd():  # it is replaced by what is written
        raise ConfigError(
            "is the folder that you are in", remedy="name a new folder with --out", file=out
        )
    if out.exists() and not (out.is_dir() and next(out.iterdir(), None) is None):
        raise ConfigError(
            "is there already", remedy="name a new or an empty folder with --out", file=out
        )


def _put(source: Path, place: Path, link: bool) -> None:
    if link:
        place.symlink_to(source.absolute())
    else:
        shutil.copyfile(source, place)


def _stem(path: Path) -> str:
    """Returns an image's name without its ending, as every format and list can hold it."""
    name = _UNWRITABLE.sub("_", path.stem).strip().lstrip(".") or "image"
    if is_image_name(name):
        name = name.replace(".", "_")
    return name.encode()[:_LONGEST].decode(errors="ignore").strip()
