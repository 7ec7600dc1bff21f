"""Images of a folder that nobody has annotated yet."""

from __future__ import annotations

import logging
from pathlib import Path

from frcnn_cli.data.formats.find import NoAnnotationsError, find_dataset
from frcnn_cli.data.image_files import find_images

_LOGGER = logging.getLogger(__name__)


def unlabelled_images(folder: Path) -> list[Path]:
    """Returns the images of a folder that have no annotation, in the order of their names.

    An annotation is an XML or text file of the image's own, even one without objects, or an entry
    in COCO JSON. Without annotations that is every image; with a data set, those among its images
    and those below the folder and beside the data set.

    Raises:
        DataError: the folder holds no image, or annotations that cannot be used.
        ImageError: there is no such folder.
    """
    images = find_images([folder])
    try:
        dataset = find_dataset(folder)
    except NoAnnotationsError as error:
        _LOGGER.info("%s %s; all of its images count as unlabelled", folder, error.problem)
        return images
    beside = (image for image in images if not image.is_relative_to(dataset.root))
    return sorted({*dataset.reader.unannotated(), *beside})
