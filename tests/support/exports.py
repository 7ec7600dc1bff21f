"""Data sets in the forms that labelling tools and scripts really write, read in public reports.

A case is a function that writes one into a folder; every object is a cat in `BOX`, or in shares.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SIZE = (160, 120)
BOX = [20.0, 20.0, 80.0, 80.0]
LABEL = "0 0.3125 0.4166666667 0.375 0.5\n"
Case = Callable[[Path], None]


def picture(path: Path, shade: int = 90, size: tuple[int, int] = SIZE) -> None:
    """Writes an image with a square; another shade, other bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (shade, 120, 40))
    image.paste((200, 30, 30), (20, 20, 80, 80))
    image.save(path)


def text(path: Path, content: str | bytes) -> None:
    """Writes a file and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def xml(filename: str, name: str = "cat") -> str:
    """Returns VOC XML of one object."""
    return (
        f"<annotation><filename>{filename}</filename><object><name>{name}</name><bndbox>"
        "<xmin>21</xmin><ymin>21</ymin><xmax>80</xmax><ymax>80</ymax></bndbox></object>"
        "</annotation>"
    )


def coco_document(
    files: Sequence[str], ids: Iterable[Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """Returns COCO JSON with an annotation for each file, whose entries `changes` replace."""
    numbers = list(range(1, len(files) + 1) if ids is None else ids)
    return {
        "images": [
            {"id": i, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
            for i, name in zip(numbers, files, strict=True)
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {
                "id": k,
                "image_id": i,
                "category_id": 1,
                "bbox": [20, 20, 60, 60],
                "iscrowd": 0,
                **changes,
            }
            for k, i in enumerate(numbers)
        ],
    }


def coco(count: int = 2, ending: str = "jpg", **changes: Any) -> Case:
    """Returns a case: images p0, p1, … in `images`, and their annotations in a file beside it."""

    def write(root: Path) -> None:
        document = coco_document([f"p{i}.jpg" for i in range(count)], **changes)
        coco_of(document, ending)(root)

    return write


def coco_of(document: Mapping[str, Any], ending: str = "jpg") -> Case:
    """Returns a case: the document, and an image for each name in it, with another ending."""

    def write(root: Path) -> None:
        names = [Path(each["file_name"]).stem for each in document["images"]]
        for i, name in enumerate(dict.fromkeys(names)):
            picture(root / "images" / f"{name}.{ending}", 40 * i)
        text(root / "annotations.json", json.dumps(document))

    return write


def with_owners(*owners: Any) -> Case:
    """Returns a case: images 1, 2, …, and annotations whose `image_id` is one of `owners` each."""
    document = coco_document([f"p{i}.jpg" for i in range(len(owners))])
    for each, owner in zip(document["annotations"], owners, strict=True):
        each["image_id"] = owner
    return coco_of(document)


def voc(pairs: Mapping[str, tuple[str, str]], lists: Mapping[str, str] = {}) -> Case:
    """Returns a case: XML files with their images, and lists in `ImageSets/Main`.

    Args:
        pairs: the image and the `<filename>`, by the XML's path.
        lists: the content of a list, by its name.
    """

    def write(root: Path) -> None:
        for i, (path, (image, filename)) in enumerate(pairs.items()):
            text(root / path, xml(filename))
            if image:
                picture(root / image, 30 * i)
        for name, content in lists.items():
            text(root / "ImageSets" / "Main" / f"{name}.txt", content)

    return write


def yolo(images: Sequence[str], files: Mapping[str, str], empty: Sequence[str] = ()) -> Case:
    """Returns a case: images with their label files, other files, and folders.

    Args:
        images: their paths; labels are in `labels` for `images`, or beside them.
        files: the content of other files by their paths.
        empty: folders.
    """

    def write(root: Path) -> None:
        for i, path in enumerate(images):
            picture(root / path, 40 * i)
            label = Path(*["labels" if part == "images" else part for part in Path(path).parts])
            text((root / label).with_suffix(".txt"), LABEL)
        for path, content in files.items():
            text(root / path, content)
        for path in empty:
            (root / path).mkdir(parents=True)

    return write
