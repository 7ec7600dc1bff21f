"""A sample of a data set's images, with their objects drawn in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.images import load_image
from frcnn_cli.data.splits import shuffle
from frcnn_cli.errors import ConfigError, DataError, FrcnnError
from frcnn_cli.plotting.draw import draw
from frcnn_cli.plotting.save import free_name, save_picture
from frcnn_cli.records import Detections
from frcnn_cli.runtime.progress import Progress, silent, tracked


def draw_sample(
    dataset: Dataset, folder: Path, count: int, seed: int, progress: Progress = silent
) -> tuple[list[Path], list[FrcnnError]]:
    """Draws images chosen by the seed, the same for the same data; returns what was written.

    Difficult objects are labelled so.

    Args:
        dataset: where the images come from.
        folder: where the pictures go, outside of the data set; made if need be.
        count: how many.
        seed: another seed, another sample.
        progress: called after each picture.

    Returns:
        The pictures, and why images of the sample could not be used.

    Raises:
        ConfigError: `folder` is in the data set.
        DataError: a picture cannot be written, or the data set has no class.
    """
    if folder.resolve().is_relative_to(dataset.root.resolve()):
        raise ConfigError("is in the data set's folder", remedy="name another folder", file=folder)
    chosen = sorted(shuffle(dataset.ids, seed)[:count])
    names = [*dataset.classes, *(f"{name} (difficult)" for name in dataset.classes)]
    pictures: list[Path] = []
    failures: list[FrcnnError] = []
    taken: set[str] = set()
    for image_id in tracked(chosen, "Drawing", progress):
        try:
            truth = dataset.read(image_id)
            image = load_image(truth.path)
        except DataError as error:
            failures.append(error)
            continue
        labels = truth.labels + len(dataset.classes) * truth.difficult
        found = Detections(truth.boxes, np.ones(len(labels), np.float32), labels)
        path = folder / f"{free_name(truth.path.stem, taken)}.jpg"
        save_picture(draw(image, found, names, show_scores=False), path)
        pictures.append(path)
    return pictures, failures
