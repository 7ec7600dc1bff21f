"""Writes detections for another tool, curves and a calibrated checkpoint of an evaluation."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from frcnn_cli.cache.checkpoints import calibrate
from frcnn_cli.config import DetectionFormat, VocMetric
from frcnn_cli.data.images import image_size
from frcnn_cli.detection.formats.coco import image_number
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.analysis.calibration import fit_calibration
from frcnn_cli.evaluation.metrics.tables import rows_by_image
from frcnn_cli.evaluation.metrics.voc import Evaluation
from frcnn_cli.evaluation.run import EvaluationRun
from frcnn_cli.files import writing
from frcnn_cli.plotting.curves import plot_precision_recall
from frcnn_cli.records import Calibration, DetectedImage, Detections


def export_detections(run: EvaluationRun, target: Path, kind: DetectionFormat) -> None:
    """Writes the detections that were scored in the format of another tool.

    Args:
        run: what was scored.
        target: the file, or for `voc` and `yolo` the folder.
        kind: the format.

    Raises:
        DataError: the target cannot be written, or the format cannot hold the images.
    """
    context = WriterContext(
        run.matched.classes,
        checkpoint=run.scored,
        split=run.split,
        image_numbers=_image_numbers(run),
        category_numbers=run.numbers.categories,
    )
    found = run.matched.detections.rows(rows_by_image(run.matched.detections))
    ends = np.searchsorted(found.image, np.arange(len(run.samples) + 1))
    with open_writer(kind, target, context) as writer:
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
    numbers = [
        run.numbers.images.get(sample.image_id, image_number(str(sample.path)))
        for sample in run.samples
    ]
    counts = Counter(numbers)
    return {
        str(sample.path): number if counts[number] == 1 else sample.image_id
        for sample, number in zip(run.samples, numbers, strict=True)
    }


def calibrate_checkpoint(run: EvaluationRun, source: Path, target: Path) -> Calibration:
    """Writes the checkpoint `source` as `target`, calibrated on an evaluation of it.

    Args:
        run: of the uncalibrated detector, on images that it was not trained on.
        source: its checkpoint.
        target: the file; it is overwritten.

    Raises:
        DataError: the detections teach nothing.
        CacheError: the file cannot be written.
    """
    calibration = fit_calibration(run.matched, run.split)
    if calibration is None:
        raise DataError(
            "its scores cannot be calibrated: of its detections none is right, none is wrong, or "
            "those that are right score no higher",
            remedy="train it further, or use more images",
            file=source,
        )
    calibrate(source, target, calibration)
    return calibration


def plot_curves(evaluation: Evaluation, metric: VocMetric, path: Path) -> None:
    """Draws precision against recall of each class into a PNG.

    Args:
        evaluation: of the split.
        metric: the rule of the APs in the titles.
        path: the file; it is overwritten.

    Raises:
        ConfigError: the file cannot be written.
    """
    curves = {each.name: (each.precision, each.recall) for each in evaluation.classes}
    ap = {each.name: each.ap(metric) for each in evaluation.classes}
    title = f"mAP {evaluation.mean_ap(metric):.3f}"
    with writing(path, make_folder=True):
        plot_precision_recall(curves, path, ap=ap, title=title)
