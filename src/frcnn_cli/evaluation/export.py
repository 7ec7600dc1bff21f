"""The detections that were scored, in the format of another tool."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from frcnn_cli.config import DetectionFormat
from frcnn_cli.data.images import image_size
from frcnn_cli.detection.formats.coco import image_number
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.evaluation.metrics.tables import rows_by_image
from frcnn_cli.evaluation.run import EvaluationRun
from frcnn_cli.records import DetectedImage, Detections


def export_detections(run: EvaluationRun, target: Path, kind: DetectionFormat, source: str) -> None:
    """Writes the detections that were scored in the format of another tool.

    Args:
        run: what was scored.
        target: the file, or for `voc` and `yolo` the folder.
        kind: the format.
        source: origin of the detections, printed for the reader.

    Raises:
        DataError: the target cannot be written, or the format cannot hold the images.
    """
    numbers = _image_numbers(run)
    writer = open_writer(
        kind,
        target,
        classes=run.matched.classes,
        checkpoint=source,
        split=run.split,
        image_numbers=numbers,
        category_numbers=run.numbers.categories,
    )
    found = run.matched.detections.rows(rows_by_image(run.matched.detections))
    ends = np.searchsorted(found.image, np.arange(len(run.samples) + 1))
    with writer:
        for sample, start, end in zip(run.samples, ends, ends[1:], strict=False):
            rows = slice(start, end)
            width, height = image_size(sample.path)
            detections = Detections(found.boxes[rows], found.scores[rows], found.labels[rows])
            writer.write(DetectedImage(str(sample.path), width, height, 0, detections))


def _image_numbers(run: EvaluationRun) -> dict[str, int | str]:
    """Returns what COCO results call each image, by its file, different for each.

    That is the data's own number, or else the file name as a number or, where two files have the
    same, the image id.
    """
    given = {
        sample.image_id: run.numbers.images.get(sample.image_id, image_number(str(sample.path)))
        for sample in run.samples
    }
    counts = Counter(given.values())
    return {
        str(sample.path): given[sample.image_id]
        if counts[given[sample.image_id]] == 1
        else sample.image_id
        for sample in run.samples
    }
