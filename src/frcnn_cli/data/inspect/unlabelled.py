"""Images of a folder that nobody has annotated yet."""

from __future__ import annotations

import logging
from pathlib import Path

from frcnn_cli.data.formats.find import NoAnnotationsError, find_dataset
from frcnn_cli.data.formats.layout import is_file
from frcnn_cli.data.formats.yolo_labels import is_label, label_names
from frcnn_cli.data.image_files import find_images

_LOGGER = logging.getLogger(__name__)


def unlabelled_images(folder: Path) -> list[Path]:
    """Returns the images of a folder that have no annotation, in the order of their names.

    An annotation is an XML or text file of the image's own, even one without objects, or an entry
    in COCO JSON. Images below the folder that are not below its data set, or below no data set,
    count too.

    Raises:
        DataError: the folder holds no image, or annotations that cannot be used.
        ImageError: there is no such folder.
    """
    images = find_images([folder])
    try:
        dataset = find_dataset(folder)
    except NoAnnotationsError as error:
        _LOGGER.info("%s %s", folder, error.problem)
        return [image for image in images if not _has_own_file(image)]
    beside = (image for image in images if not image.is_relative_to(dataset.root))
    others = (image for image in beside if not _has_own_file(image))
    return sorted({*dataset.reader.unannotated(), *others})


def _has_own_file(image: Path) -> bool:
    """Returns whether an image outside of the data set has VOC XML or YOLO text all the same."""
    name = f"{image.stem}.xml"
    if any(map(is_file, (image.parent / name, image.parent.parent / "Annotations" / name))):
        return True
    return any(is_label(Path(text)) for text in label_names(image.as_posix()))
