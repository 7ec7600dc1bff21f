"""Small files to read: images of one colour, VOC XML as other tools write it, data sets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

Box = tuple[object, object, object, object]


def write_image(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    """Writes a grey image of `size` (width, height), in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (120, 130, 140)).save(path)
    return path


def xml(path: Path, objects: Iterable[tuple[str, Box]] = (), filename: str = "") -> Path:
    """Writes VOC XML with `objects` as (class, (xmin, ymin, xmax, ymax)), sizes 0 and no flags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
        f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
        for name, box in objects
    )
    path.write_text(
        f"<annotation><folder>x</folder><filename>{filename}</filename>"
        f"<path>C:\\elsewhere\\{filename}</path>"
        f"<size><width>0</width><height>0</height></size>{body}</annotation>"
    )
    return path


def pair(folder: Path, stem: str, *names: str) -> None:
    """Writes an image and, beside it, XML with an object of each class in `names`."""
    write_image(folder / f"{stem}.jpg")
    xml(folder / f"{stem}.xml", [(name, (1, 1, 20, 20)) for name in names])


def year(root: Path, ids: Iterable[str], splits: Mapping[str, Iterable[str]] = {}) -> Path:
    """Writes a VOC year folder whose images show one dog each."""
    for image_id in ids:
        write_image(root / "JPEGImages" / f"{image_id}.jpg")
        xml(root / "Annotations" / f"{image_id}.xml", [("dog", (1, 1, 20, 20))])
    for name, members in splits.items():
        lists = root / "ImageSets" / "Main"
        lists.mkdir(parents=True, exist_ok=True)
        (lists / f"{name}.txt").write_text("".join(f"{member}\n" for member in members))
    return root


def coco(
    path: Path,
    images: Iterable[Mapping[str, object]],
    annotations: Iterable[Mapping[str, object]],
    names: Iterable[str] = ("cat", "dog"),
) -> Path:
    """Writes COCO JSON whose categories have the ids 10, 20, …, and no sizes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    categories = [{"id": 10 * i, "name": name} for i, name in enumerate(names, 1)]
    content = {
        "info": {},
        "images": list(images),
        "annotations": list(annotations),
        "categories": categories,
    }
    path.write_text(json.dumps(content))
    return path


def yolo(root: Path, labels: Mapping[str, str], **entries: object) -> Path:
    """Writes a `data.yaml` of cats and dogs, images of 40 × 30 and their label files.

    Args:
        root: the folder.
        labels: lines by the image's path in `images`, such as "train/a.jpg"; "-" is no file.
        entries: values of the YAML for `train`, `val` and so on.
    """
    for name, lines in labels.items():
        write_image(root / "images" / name)
        if lines != "-":
            text = (root / "labels" / name).with_suffix(".txt")
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(lines)
    content = {"names": ["cat", "dog"], **entries}
    (root / "data.yaml").write_text(json.dumps(content))
    return root
