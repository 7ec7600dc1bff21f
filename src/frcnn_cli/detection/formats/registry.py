"""Detections as `frcnn detect` writes them: for frcnn, other tools, pipes, and annotators."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import TextIO

import numpy as np

from frcnn_cli.config import OutputFormat
from frcnn_cli.data.formats.voc_xml import write_annotation
from frcnn_cli.detection.formats.coco import CocoWriter, image_number
from frcnn_cli.detection.formats.frcnn import FrcnnWriter
from frcnn_cli.detection.formats.jsonl_csv import CsvWriter, JsonLinesWriter
from frcnn_cli.detection.formats.writer import FolderWriter, Writer, require_new_folder
from frcnn_cli.detection.formats.yolo import NAMES, YoloWriter
from frcnn_cli.errors import DataError
from frcnn_cli.records import DetectedImage

STDOUT = Path("-")
DEFAULT_TARGETS: Mapping[OutputFormat, Path] = {
    "frcnn": Path("boxes.json"),
    "coco": Path("coco.json"),
    "voc": Path("annotations"),
    "yolo": Path("labels"),
    "jsonl": Path("boxes.jsonl"),
    "csv": Path("boxes.csv"),
}
"""Where each format goes if nothing is said: a file, or for voc and yolo a folder."""
FOLDERS = ("voc", "yolo")


class VocXmlWriter(FolderWriter):
    """Writes a VOC XML a photograph, those without detections included: a start for annotators.

    Edges are rounded to a hundredth of a pixel, as in every other format.

    Args:
        target: a folder, absent or empty.
        classes: names of the labels 1..K.
    """

    def __init__(self, target: Path, *, classes: Sequence[str]) -> None:
        super().__init__(target)
        self._classes = tuple(classes)

    def write(self, image: DetectedImage) -> None:
        """Writes one photograph's file."""
        found = image.detections
        with self.told_as_data_error():
            write_annotation(
                self.folder / f"{self.name_of(image)}.xml",
                filename=PurePath(image.file).name,
                size=(image.width, image.height),
                names=[self._classes[int(label) - 1] for label in found.labels],
                boxes=np.round(found.boxes.astype(np.float64), 2),
            )


def check_output(kind: OutputFormat, target: Path, photographs: Sequence[Path]) -> None:
    """Refuses a target, or photographs, that the writer would refuse, before the long work.

    Raises:
        DataError: the target is a folder and should be a file, or the other way, or is not empty;
            or two photographs would be written under one name.
    """
    if kind not in FOLDERS:
        if target.is_dir():
            raise DataError("is a folder", remedy="name a file with --out", file=target)
        if kind == "coco":
            _require_apart(photographs, lambda path: image_number(path.name), kind)
        return
    if target == STDOUT:
        raise DataError(
            f"--format {kind} writes a folder, which cannot go to standard output",
            remedy="name a folder with --out, or choose --format jsonl",
        )
    require_new_folder(target)
    _require_apart(photographs, lambda path: path.stem, kind)
    if kind == "yolo" and (taken := [path for path in photographs if f"{path.stem}.txt" == NAMES]):
        raise DataError(
            f"would be written over {NAMES}, which names the classes",
            remedy=f"rename it, or choose another format than {kind}",
            file=taken[0],
        )


def _require_apart(
    photographs: Sequence[Path], name_of: Callable[[Path], int | str], kind: OutputFormat
) -> None:
    named: dict[int | str, Path] = {}
    for path in photographs:
        other = named.setdefault(name_of(path), path)
        if other != path:
            raise DataError(
                f"would be written under the name of {other}",
                remedy=f"detect them in two calls, or choose another format than {kind}",
                file=path,
            )


def open_output(
    kind: OutputFormat,
    target: Path | TextIO,
    *,
    classes: Sequence[str],
    checkpoint: str,
    backbone: str,
) -> Writer:
    """Returns the writer of a format, to be used in a `with` block.

    Args:
        kind: the format.
        target: a file, a folder (voc, yolo), or for a file a text stream.
        classes: names of the labels 1..K.
        checkpoint: where the weights came from (frcnn).
        backbone: name of the network (frcnn).
    """
    match kind:
        case "frcnn":
            return FrcnnWriter(target, checkpoint=checkpoint, backbone=backbone, classes=classes)
        case "coco":
            return CocoWriter(target)
        case "jsonl":
            return JsonLinesWriter(target, classes=classes)
        case "csv":
            return CsvWriter(target, classes=classes)
    assert isinstance(target, Path), "check_output refuses streams"
    if kind == "voc":
        return VocXmlWriter(target, classes=classes)
    return YoloWriter(target, classes=classes, confidences=False)
