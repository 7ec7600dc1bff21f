"""Detected images for people to look at: each is decoded once for all that shows it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing

from frcnn_cli.data.images import Pixels
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.errors import FrcnnError
from frcnn_cli.records import DetectedImage

Show = Callable[[ImageInput, DetectedImage, Pixels], None]
"""Shows an image, what was found in it, and its pixels (H, W, 3) uint8."""


def show_each(
    results: Generator[DetectedImage | FrcnnError],
    images: Sequence[ImageInput],
    shows: Sequence[AbstractContextManager[Show]],
) -> Generator[DetectedImage | FrcnnError]:
    """Yields `results`, each shown; an image that cannot be read any more becomes an error.

    Args:
        results: of `images`, in their order.
        images: files, or frames of videos.
        shows: such as `drawings`; open while the results are read.

    Raises:
        FrcnnError: what a picture or a page cannot be written for.
    """
    with closing(results), ExitStack() as stack:
        opened = [stack.enter_context(each) for each in shows]
        for image, result in zip(images, results, strict=True):
            if isinstance(result, DetectedImage):
                try:
                    pixels = image.load()
                except FrcnnError as error:
                    yield error
                    continue
                for show in opened:
                    show(image, result, pixels)
            yield result
