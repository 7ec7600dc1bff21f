"""Data sets written for other tools: as VOC, COCO or YOLO, one image at a time.

What is written loads again with our own readers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, Protocol

import yaml

from frcnn_cli.data.formats.layout import Splits, is_image_name
from frcnn_cli.data.formats.voc_xml import write_annotation
from frcnn_cli.data.formats.yolo import shares_of
from frcnn_cli.data.record import Record

Format = Literal["voc", "coco", "yolo"]


@dataclass(frozen=True, slots=True)
class Item:
    """An image to write.

    Attributes:
        image_id: in the data set that it comes from.
        split: one of those that are written.
        stem: its name without an ending; no other image has it.
        size: upright (width, height).
        record: what is known of it, checked.
    """

    image_id: str
    split: str
    stem: str
    size: tuple[int, int]
    record: Record

    @property
    def name(self) -> str:
        """The image's new name."""
        return f"{self.stem}{self.record.path.suffix}"


class DatasetWriter(Protocol):
    """Writes one format into an empty folder."""

    def add(self, item: Item) -> Path:
        """Writes an image's annotation, and returns where the image goes."""

    def close(self) -> None:
        """Writes what stands at the end."""


class VocFolderWriter:
    """A VOC year folder: `JPEGImages`, `Annotations`, and the splits in `ImageSets/Main`."""

    def __init__(self, root: Path, splits: Mapping[str, Sequence[str]]) -> None:
        self._root = root
        self._splits = splits
        self._stems: dict[str, str] = {}
        for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def add(self, item: Item) -> Path:
        """Writes an XML file, and returns where the image goes.

        Raises:
            AnnotationError: a class has a name that XML cannot hold.
        """
        write_annotation(
            self._root / "Annotations" / f"{item.stem}.xml",
            filename=item.name,
            size=item.size,
            names=item.record.names,
            boxes=item.record.boxes,
            difficult=item.record.difficult,
        )
        self._stems[item.image_id] = item.stem
        return self._root / "JPEGImages" / item.name

    def close(self) -> None:
        """Writes the lists of the splits."""
        for name, ids in self._splits.items():
            lines = [f"{self._stems[image_id]}\n" for image_id in ids if image_id in self._stems]
            path = self._root / "ImageSets" / "Main" / f"{name}.txt"
            path.write_text("".join(lines), encoding="utf-8")


class CocoFolderWriter:
    """COCO's layout: `annotations/instances_SPLIT.json`, and a folder of images per split.

    Args:
        root: the folder.
        splits: to be written; no image is in two.
        categories: the id of each class.
        numbers: the id of each image; None counts from 1.
    """

    def __init__(
        self,
        root: Path,
        splits: Splits,
        categories: Mapping[str, int],
        numbers: Mapping[str, int] | None,
    ) -> None:
        self._root = root
        self._categories = categories
        self._numbers = numbers
        self._images = 0
        self._objects = 0
        (root / "annotations").mkdir()
        # The annotations, of which there are most, are written as they come.
        self._annotations: dict[str, _Entries] = {}
        self._listed: dict[str, list[str]] = {split: [] for split in splits}
        for split in splits:
            (root / split).mkdir()
            path = root / "annotations" / f"instances_{split}.json"
            self._annotations[split] = _Entries(path.open("w", encoding="utf-8"))
            self._annotations[split].stream.write('{"annotations": [')

    def add(self, item: Item) -> Path:
        """Writes an image and its annotations, and returns where the image goes.

        Difficult objects become crowds: COCO has no other flag for what counts neither way.
        """
        self._images += 1
        number = self._images if self._numbers is None else self._numbers[item.image_id]
        width, height = item.size
        image = {"id": number, "file_name": item.name, "width": width, "height": height}
        self._listed[item.split].append(json.dumps(image))
        record = item.record
        for name, box, difficult in zip(
            record.names, record.boxes.tolist(), record.difficult.tolist(), strict=True
        ):
            self._objects += 1
            x1, y1, x2, y2 = box
            self._annotations[item.split].append(
                {
                    "id": self._objects,
                    "image_id": number,
                    "category_id": self._categories[name],
                    "bbox": [round(value, 5) for value in (x1, y1, x2 - x1, y2 - y1)],
                    "area": round((x2 - x1) * (y2 - y1), 5),
                    "iscrowd": int(difficult),
                    "segmentation": [],
                }
            )
        return self._root / item.split / item.name

    def close(self) -> None:
        """Ends each file with its images and the classes."""
        categories = [{"id": number, "name": name} for name, number in self._categories.items()]
        for split, entries in self._annotations.items():
            images = ",\n".join(self._listed[split])
            with entries.stream as stream:
                stream.write(f'\n], "images": [\n{images}\n], ')
                stream.write(f'"categories": {json.dumps(categories)}}}\n')


class YoloFolderWriter:
    """YOLO's layout: `data.yaml`, `images/SPLIT` and `labels/SPLIT`.

    Args:
        root: the folder.
        splits: to be written, of `train`, `val` and `test`; no image is in two.
        categories: the number of each class.
    """

    def __init__(self, root: Path, splits: Splits, categories: Mapping[str, int]) -> None:
        self._root = root
        self._splits = splits
        self._categories = categories
        for split in splits:
            (root / "images" / split).mkdir(parents=True)
            (root / "labels" / split).mkdir(parents=True)

    def add(self, item: Item) -> Path:
        """Writes a label file, and returns where the image goes.

        The format cannot say that an object is difficult, and knows images by their endings.
        """
        lines = []
        for name, box in zip(item.record.names, item.record.boxes.tolist(), strict=True):
            numbers = " ".join(f"{share:.10g}" for share in shares_of(box, item.size))
            lines.append(f"{self._categories[name]} {numbers}\n")
        name = item.name if is_image_name(item.name) else f"{item.name}.jpg"
        path = (self._root / "labels" / item.split / name).with_suffix(".txt")
        path.write_text("".join(lines), encoding="utf-8")
        return self._root / "images" / item.split / name

    def close(self) -> None:
        """Writes the `data.yaml`; its tools insist on a `val`, so `test` stands in."""
        entries = {split: f"images/{split}" for split in self._splits}
        if "val" not in entries:
            entries["val"] = entries.get("test") or entries["train"]
        names = {number: name for name, number in self._categories.items()}
        content = {**entries, "nc": len(names), "names": names}
        text: str = yaml.safe_dump(  # type: ignore[no-untyped-call]
            content, sort_keys=False, allow_unicode=True
        )
        (self._root / "data.yaml").write_text(text, encoding="utf-8")


class _Entries:
    """The entries of a JSON list, written one at a time."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream
        self._before = "\n"

    def append(self, entry: Mapping[str, object]) -> None:
        self.stream.write(self._before + json.dumps(entry))
        self._before = ",\n"
