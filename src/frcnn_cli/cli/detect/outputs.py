"""The files that `frcnn detect` writes: boxes, pictures and a page."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import numpy as np

from frcnn_cli.cli.detect.chosen import Selection
from frcnn_cli.cli.detect.summary import STDOUT, Totals, Written
from frcnn_cli.config import OutputFormat
from frcnn_cli.detection.choice import ChosenCheckpoint
from frcnn_cli.detection.detector import DetectionJob
from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import DetectionWriter, WriterContext
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.page import open_page
from frcnn_cli.detection.pictures import drawings
from frcnn_cli.detection.show import Show
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import DetectedImage


@dataclass(frozen=True)
class Outputs:
    """Takes the result of each image.

    Attributes:
        selection: which detections are written.
        totals: the results so far.
        writer: of the boxes.
        shows: functions that draw.
    """

    selection: Selection
    totals: Totals
    writer: DetectionWriter
    shows: Sequence[Show]

    def add(self, image: ImageInput, result: DetectedImage | FrcnnError) -> None:
        """Writes what was found in an image, or notes why it failed.

        Raises:
            DataError: a file cannot be written.
        """
        if not isinstance(result, FrcnnError):
            result = self._shown(image, self._selected(result))
        self.totals.add(result)
        if not isinstance(result, FrcnnError):
            self.writer.write(result)

    def _selected(self, found: DetectedImage) -> DetectedImage:
        """Returns an image with the detections of the wanted classes."""
        labels, most = self.selection.labels, self.selection.config.max_per_image
        if not labels:
            return found
        rows = np.flatnonzero(np.isin(found.detections.labels, labels))
        return replace(found, detections=found.detections.take(rows[: most or None]))

    def _shown(self, image: ImageInput, found: DetectedImage) -> DetectedImage | FrcnnError:
        """Returns what was found, drawn; or why the image cannot be read any more."""
        if self.shows:
            try:
                pixels = image.load()  # once for all of them
            except FrcnnError as error:
                return error
            for show in self.shows:
                show(image, found, pixels)
        return found


@contextmanager
def open_outputs(
    written: Written,
    output_format: OutputFormat,
    images: Sequence[ImageInput],
    *,
    job: DetectionJob,
    weights: ChosenCheckpoint,
    selection: Selection,
) -> Iterator[Outputs]:
    """Yields what takes the results; the files are finished when the block is left.

    Those of an interrupted command have the images so far; another exception leaves none.

    Args:
        written: where they are.
        output_format: of the boxes.
        images: all that there will be.
        job: the detector and its settings.
        weights: the checkpoint that it is from.
        selection: which detections are written.
    """
    info, config = job.detector.info, selection.config
    totals = Totals(info.classes, config.score_threshold, job.detector.confident_score(config))
    context = WriterContext(info.classes, weights.name, info.model.backbone, annotations=True)
    target = sys.stdout if written.out == STDOUT else written.out
    interrupted = None
    with open_writer(output_format, target, context) as writer, ExitStack() as stack:
        shows = []
        if written.draw is not None:
            drawn = drawings(written.draw, images, info.classes, selection.draw_score)
            shows.append(stack.enter_context(drawn))
        if written.page is not None:
            scores = (config.score_threshold, selection.draw_score)
            page = open_page(written.page, len(images), info.classes, scores=scores)
            shows.append(stack.enter_context(page))
        try:
            yield Outputs(selection, totals, writer, shows)
        except KeyboardInterrupt as stop:
            interrupted = stop
    if interrupted is not None:
        raise interrupted
