"""Which format a file of detections has, and its reader and writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from frcnn_cli.config import DetectionFormat
from frcnn_cli.detection.formats import voc, yolo
from frcnn_cli.detection.formats.coco import CocoWriter, read_coco
from frcnn_cli.detection.formats.context import Known
from frcnn_cli.detection.formats.frcnn import SCHEMA, FrcnnWriter, read_frcnn
from frcnn_cli.detection.formats.voc import VocWriter, read_voc
from frcnn_cli.detection.formats.writer import Writer, require_new_folder
from frcnn_cli.detection.formats.yolo import YoloWriter, read_yolo
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading
from frcnn_cli.records import Detections

WORDS: Mapping[DetectionFormat, str] = {
    "frcnn": SCHEMA,
    "coco": "COCO results",
    "voc": "VOC devkit results",
    "yolo": "YOLO text files",
}
"""The formats in words."""

_READERS: Mapping[DetectionFormat, Callable[[Path, Known], dict[str, Detections]]] = {
    "frcnn": read_frcnn,
    "coco": read_coco,
    "voc": read_voc,
    "yolo": read_yolo,
}


def read_detections(path: Path, known: Known) -> tuple[DetectionFormat, dict[str, Detections]]:
    """Reads detections of any format; which one it is, is seen from what they hold.

    Returns:
        The format, and the detections by image id.

    Raises:
        DataError: the format is unknown, or the reader refuses something.
    """
    kind = recognise(path)
    return kind, _READERS[kind](path, known)


def recognise(path: Path) -> DetectionFormat:
    """Returns the format of a file or folder of detections.

    Raises:
        DataError: it cannot be read, or is of no known format.
    """
    if path.is_dir():
        if any(path.glob(voc.PATTERN)):
            return "voc"
        if yolo.text_files(path):
            return "yolo"
        raise DataError(
            "holds neither comp4_det_*_CLASS.txt nor text files of photographs",
            remedy="name the folder that holds the detections",
            file=path,
        )
    with reading(path), path.open("rb") as stream:
        start = stream.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"{"):
        return "frcnn"
    if start.startswith(b"["):
        return "coco"
    if path.suffix == ".txt":
        raise DataError("is one file of many", remedy=f"name its folder {path.parent}", file=path)
    raise DataError(
        "is of no known format",
        remedy=f"name a file or folder of one of: {', '.join(WORDS.values())}",
        file=path,
    )


def require_target(kind: DetectionFormat, target: Path) -> None:
    """Refuses a target that the writer of `kind` would refuse, before the long work.

    Raises:
        DataError: it is a folder and should be a file, or a folder that holds files.
    """
    if kind in ("voc", "yolo"):
        require_new_folder(target)
    elif target.is_dir():
        raise DataError("is a folder", remedy=f"name a file for {WORDS[kind]}", file=target)


def open_writer(
    kind: DetectionFormat,
    target: Path | TextIO,
    *,
    classes: Sequence[str],
    checkpoint: str = "",
    backbone: str = "",
    split: str = "test",
    image_numbers: Mapping[str, int | str] | None = None,
    category_numbers: Sequence[int] = (),
) -> Writer:
    """Returns the writer of a format, to be used in a `with` block.

    Args:
        kind: the format.
        target: the file (frcnn, coco), the folder (voc, yolo), or for a file a text stream.
        classes: names of the labels 1..K.
        checkpoint: where the weights came from (frcnn).
        backbone: name of the network (frcnn).
        split: what was detected (voc).
        image_numbers: the data set's own number of each photograph, by its file as given (coco).
        category_numbers: the data set's own number of each label 1..K (coco).

    Raises:
        DataError: a folder is needed, and `target` is a stream.
    """
    if kind == "frcnn":
        return FrcnnWriter(target, checkpoint=checkpoint, backbone=backbone, classes=classes)
    if kind == "coco":
        return CocoWriter(target, image_numbers=image_numbers, category_numbers=category_numbers)
    if not isinstance(target, Path):
        raise DataError(
            f"{WORDS[kind]} are a folder of files, not a stream", remedy="name a folder"
        )
    if kind == "voc":
        return VocWriter(target, classes=classes, split=split)
    return YoloWriter(target, classes=classes)
