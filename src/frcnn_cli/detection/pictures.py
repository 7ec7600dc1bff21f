"""Pictures of images with their detections, in a folder."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.errors import ConfigError, FrcnnError
from frcnn_cli.plotting.clip import Clip
from frcnn_cli.plotting.draw import draw
from frcnn_cli.plotting.save import free_name, save_picture
from frcnn_cli.records import DetectedImage


def draw_each(
    results: Generator[DetectedImage | FrcnnError],
    folder: Path,
    images: Sequence[ImageInput],
    classes: Sequence[str],
    min_score: float,
) -> Generator[DetectedImage | FrcnnError]:
    """Yields `results`, each drawn into `folder`; an image that cannot be read becomes an error.

    Pictures are named as the images; of two images of the same name the second's picture ends in
    "-2". The frames of a video become a video, as long as it was.

    Args:
        results: of `images`, in their order.
        folder: is made if need be.
        images: files, or frames of videos.
        classes: names of the labels 1..K.
        min_score: of a box that is drawn.

    Raises:
        ConfigError: `folder` is a file, or holds one of the images.
        DataError: a picture cannot be written.
    """
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise ConfigError(
                "is a file, not a folder", remedy="name a folder with --draw", file=each
            )
    for file in {image.path or image.video or Path() for image in images}:
        if file.resolve().parent == folder.resolve():
            raise ConfigError(
                f"holds {file.name}, an image to detect in",
                remedy="name another folder with --draw",
                file=folder,
            )
    names: set[str] = set()
    clips: dict[Path, Clip] = {}
    with closing(results), ExitStack() as stack:
        for image, result in zip(images, results, strict=True):
            if image.video is not None and image.video not in clips:
                stack.close()  # the video before
                name = free_name(image.video.stem, names)
                clip = Clip(folder / f"{name}.mp4", _rate(image.video, images))
                clips[image.video] = clip
                stack.callback(clip.close)
            picture = None
            if image.path is not None:
                picture = folder / f"{free_name(image.path.stem, names)}.jpg"
            if isinstance(result, FrcnnError):
                yield result
                continue
            try:
                pixels = image.load()
            except FrcnnError as error:
                yield error
                continue
            drawn = draw(pixels, result.detections, classes, min_score=min_score)
            # A full disk ends the command: the next pictures would find it full too.
            if picture is not None:
                save_picture(drawn, picture)
            elif image.video is not None:
                clips[image.video].write(drawn)
            yield result


def _rate(video: Path, images: Sequence[ImageInput]) -> float:
    """Returns how many of the frames of a video there are per second."""
    times = [image.time or 0.0 for image in images if image.video == video]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
