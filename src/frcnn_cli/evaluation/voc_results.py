"""Detections as the VOC devkit keeps them: `comp4_det_SPLIT_CLASS.txt`, one line a detection.

A line is `image_id score xmin ymin xmax ymax` in 1-based inclusive pixels, fractions allowed;
`x1 = xmin - 1` and `x2 = xmax`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.photographs import PhotographFinder
from frcnn_cli.records import Detections, Sample, as_boxes

Row = tuple[str, float, tuple[float, float, float, float]]


def format_voc_results(
    detections: Mapping[str, Detections], classes: Sequence[str], split: str
) -> dict[str, str]:
    """Returns file name → text, one file a class, those without detections included.

    Args:
        detections: by image id.
        classes: names of the labels 1..K.
        split: as it stands in the file names, such as "test".
    """
    files = {}
    for label, name in enumerate(classes, start=1):
        lines = [
            f"{image_id} {score:.6f} {x1 + 1:.2f} {y1 + 1:.2f} {x2:.2f} {y2:.2f}\n"
            for image_id, found in detections.items()
            for score, (x1, y1, x2, y2) in zip(
                found.scores[found.labels == label],
                found.boxes[found.labels == label],
                strict=True,
            )
        ]
        files[f"comp4_det_{split}_{name}.txt"] = "".join(lines)
    return files


def read_voc_results(
    folder: Path, samples: Sequence[Sample], classes: Sequence[str]
) -> dict[str, Detections]:
    """Reads a folder of `*_det_*_CLASS.txt` files as the detections of `samples`.

    Args:
        folder: where the files are; a class without a file has no detections.
        samples: the photographs that the files may speak of.
        classes: names of the labels 1..K.

    Returns:
        The detections of each photograph that has some by image id, in falling score.

    Raises:
        DataError: there is no such file, one is of an unknown class or there twice, or a line
            cannot be read or names an unknown photograph.
    """
    finder = PhotographFinder(samples)
    found: dict[str, list[tuple[float, int, tuple[float, ...]]]] = defaultdict(list)
    for label, path in _files_by_label(folder, classes).items():
        for image_id, score, box in _read_file(path, finder):
            found[image_id].append((score, label, box))
    for rows in found.values():
        rows.sort(key=lambda row: -row[0])  # stable, so that equal scores keep their order
    return {
        image_id: Detections(
            boxes=as_boxes([box for _, _, box in rows]),
            scores=np.array([score for score, _, _ in rows], np.float32),
            labels=np.array([label for _, label, _ in rows], np.int64),
        )
        for image_id, rows in found.items()
    }


def _files_by_label(folder: Path, classes: Sequence[str]) -> dict[int, Path]:
    paths = sorted(folder.glob("*_det_*_*.txt"))
    if not paths:
        raise DataError(
            "has no comp4_det_*_CLASS.txt", remedy="name the folder of VOC results", file=folder
        )
    files: dict[int, Path] = {}
    for path in paths:
        label = _label_of(path, classes)
        if label in files:
            raise DataError(
                f"is of class {classes[label - 1]!r}, as {files[label].name} is",
                remedy="keep the files of one split",
                file=path,
            )
        files[label] = path
    return files


def _label_of(path: Path, classes: Sequence[str]) -> int:
    # A class name may hold an underscore itself, so the longest one that fits is meant.
    fitting = [name for name in classes if path.stem.endswith(f"_{name}")]
    if fitting:
        return classes.index(max(fitting, key=len)) + 1
    stem = path.stem.casefold()
    same = [name for name in classes if stem.endswith(f"_{name.casefold()}")]
    remedy = f"write it as {same[0]!r}" if same else f"known classes are {', '.join(classes)}"
    raise DataError("is of an unknown class", remedy=remedy, file=path)


def _read_file(path: Path, finder: PhotographFinder) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", file=path) from error
    except UnicodeDecodeError as error:
        raise DataError("is not text", remedy="write the file again", file=path) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield _read_line(line, finder)
            except DataError as error:
                raise DataError(
                    f"line {number}: {error.problem}", remedy=error.remedy, file=path
                ) from error


def _read_line(line: str, finder: PhotographFinder) -> Row:
    image_id, *fields = line.split()
    try:
        score, xmin, ymin, xmax, ymax = (float(field) for field in fields)
    except ValueError as error:
        raise DataError(
            f"{line.strip()!r}", remedy="use: image_id score xmin ymin xmax ymax"
        ) from error
    if not all(math.isfinite(value) for value in (score, xmin, ymin, xmax, ymax)):
        raise DataError(f"{line.strip()!r} is not finite", remedy="use finite numbers")
    if xmax < xmin - 1 or ymax < ymin - 1:
        raise DataError(
            f"{line.strip()!r} ends before it starts",
            remedy="use xmin ymin xmax ymax, not x y width height",
        )
    return finder.find(image_id), score, (xmin - 1, ymin - 1, xmax, ymax)
