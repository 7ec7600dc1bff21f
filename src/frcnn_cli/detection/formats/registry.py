"""The formats of detections: the target, writer and reader of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from frcnn_cli.config import DetectionFormat, OutputFormat
from frcnn_cli.detection.formats import voc, yolo
from frcnn_cli.detection.formats.coco import CocoResultsWriter, image_number, read_coco
from frcnn_cli.detection.formats.context import SplitIndex
from frcnn_cli.detection.formats.frcnn import FrcnnWriter, read_frcnn
from frcnn_cli.detection.formats.jsonl_csv import CsvWriter, JsonLinesWriter
from frcnn_cli.detection.formats.voc import VocResultsWriter, VocXmlWriter, read_voc
from frcnn_cli.detection.formats.writer import DetectionWriter, WriterContext, require_new_folder
from frcnn_cli.detection.formats.yolo import NAMES, YoloResultsWriter, read_yolo
from frcnn_cli.errors import DataError
from frcnn_cli.files import reading
from frcnn_cli.records import Detections

STDOUT = Path("-")
_Reader = Callable[[Path, SplitIndex], dict[str, Detections]]


class Format(NamedTuple):
    """A format of detections.

    Attributes:
        target: what `frcnn detect` writes by default: a file, or for voc and yolo a folder.
        writer: of what can be scored.
        reader: None where the format is only written.
    """

    target: Path
    writer: type[DetectionWriter]
    reader: _Reader | None = None


FORMATS: Mapping[OutputFormat, Format] = {
    "frcnn": Format(Path("boxes.json"), FrcnnWriter, read_frcnn),
    "coco": Format(Path("coco.json"), CocoResultsWriter, read_coco),
    "voc": Format(Path("annotations"), VocResultsWriter, read_voc),
    "yolo": Format(Path("labels"), YoloResultsWriter, read_yolo),
    "jsonl": Format(Path("boxes.jsonl"), JsonLinesWriter),
    "csv": Format(Path("boxes.csv"), CsvWriter),
}
WITH_TIMES = ("jsonl", "frcnn")
"""Formats that can hold the frames of a video."""
FOLDERS = ("voc", "yolo")
WORDS = {name: each.writer.words for name, each in FORMATS.items() if each.reader is not None}
"""The formats that are read, in words."""


def check_target(kind: OutputFormat, target: Path) -> None:
    """Refuses a target that the writer of `kind` would refuse, before the long work.

    Raises:
        DataError: it is a folder and should be a file, or the other way, or is not empty.
    """
    if kind not in FOLDERS:
        if target.is_dir():
            raise DataError("is a folder", remedy="name a file", file=target)
    elif target == STDOUT:
        raise DataError(
            f"format {kind} is a folder of files, which cannot go to standard output",
            remedy="name a folder with --out, or choose --format jsonl",
        )
    else:
        require_new_folder(target)


def check_names(kind: OutputFormat, images: Sequence[Path]) -> None:
    """Refuses images that a format cannot tell apart, before the long work.

    Raises:
        DataError: two images would be written under one name, or one over the names of the classes.
    """
    named: dict[int | str, Path] = {}
    for path in images:
        if kind == "yolo" and f"{path.stem}.txt" == NAMES:
            raise DataError(
                f"would be written over {NAMES}, which names the classes",
                remedy=f"rename it, or choose another format than {kind}",
                file=path,
            )
        name = image_number(path.name) if kind == "coco" else path.stem
        other = named.setdefault(name, path)
        if other != path and kind in ("coco", *FOLDERS):
            raise DataError(
                f"would be written under the name of {other}",
                remedy=f"detect them in two calls, or choose another format than {kind}",
                file=path,
            )


def open_writer(
    kind: OutputFormat, target: Path | TextIO, context: WriterContext
) -> DetectionWriter:
    """Returns the writer of a format, to be used in a `with` block.

    Args:
        kind: the format.
        target: a file, a folder (voc, yolo), or for a file a text stream.
        context: what else is written.

    Raises:
        DataError: a folder is needed, and `target` is a stream.
    """
    if kind == "voc" and context.annotations:
        return VocXmlWriter(target, context)
    return FORMATS[kind].writer(target, context)


def read_detections(path: Path, index: SplitIndex) -> tuple[DetectionFormat, dict[str, Detections]]:
    """Reads detections of any format, which is recognised from the content.

    Returns:
        The format, and the detections by image id.

    Raises:
        DataError: the format is unknown, or the reader refuses something.
    """
    kind = recognise(path)
    read = FORMATS[kind].reader
    assert read is not None
    return kind, read(path, index)


def recognise(path: Path) -> DetectionFormat:
    """Returns the format of a file or folder of detections.

    Raises:
        DataError: it cannot be read, or its format is unknown.
    """
    if path.is_dir():
        if any(path.glob(voc.PATTERN)):
            return "voc"
        if yolo.text_files(path):
            return "yolo"
        raise DataError(
            "holds neither comp4_det_*_CLASS.txt nor text files of images",
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
        "is not of a known format",
        remedy=f"name a file or folder of one of: {', '.join(WORDS.values())}",
        file=path,
    )
