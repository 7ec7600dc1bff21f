"""Pictures of images with their detections, in a folder."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from frcnn_cli.data.images import load_image
from frcnn_cli.errors import ConfigError, FrcnnError
from frcnn_cli.plotting.draw import draw
from frcnn_cli.plotting.save import free_name, save_picture
from frcnn_cli.records import DetectedImage


def draw_each(
    results: Generator[DetectedImage | FrcnnError],
    folder: Path,
    paths: Sequence[Path],
    classes: Sequence[str],
    min_score: float,
) -> Generator[DetectedImage | FrcnnError]:
    """Yields `results`, each drawn into `folder`; an image that cannot be read becomes an error.

    Pictures are named as the images; of two images of the same name the second's picture ends in
    "-2".

    Args:
        results: of `paths`, in their order.
        folder: is made if need be.
        paths: the images.
        classes: names of the labels 1..K.
        min_score: of a box that is drawn.

    Raises:
        ConfigError: `folder` holds one of the images.
        DataError: a picture cannot be written.
    """
    for path in paths:
        if path.resolve().parent == folder.resolve():
            raise ConfigError(
                f"holds {path.name}, an image to detect in",
                remedy="name another folder with --draw",
                file=folder,
            )
    names: set[str] = set()
    with closing(results):
        for path, result in zip(paths, results, strict=True):
            picture = folder / f"{free_name(path.stem, names)}.jpg"
            if isinstance(result, FrcnnError):
                yield result
                continue
            try:
                image = load_image(path)
            except FrcnnError as error:
                yield error
                continue
            # A full disk ends the command: the next pictures would find it full too.
            save_picture(draw(image, result.detections, classes, min_score=min_score), picture)
            yield result
