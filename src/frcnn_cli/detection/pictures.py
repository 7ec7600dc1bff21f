"""Pictures of images with their detections, in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from frcnn_cli.data.images import Pixels
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.show import Show
from frcnn_cli.errors import ConfigError
from frcnn_cli.plotting.draw import draw
from frcnn_cli.plotting.save import Clip, free_name, save_picture
from frcnn_cli.records import DetectedImage


@contextmanager
def drawings(
    folder: Path, images: Sequence[ImageInput], classes: Sequence[str], min_score: float
) -> Iterator[Show]:
    """Yields a function that draws an image into `folder`.

    Pictures are named as the images; of two images of the same name the second's picture ends in
    "-2". The frames of a video become a video, as long as it was.

    Args:
        folder: is made if need be.
        images: files, or frames of videos.
        classes: names of the labels 1..K.
        min_score: of a box that is drawn.

    Raises:
        ConfigError: `folder` is a file, or holds one of the images.
        DataError: a picture cannot be written.
    """
    files = list(dict.fromkeys(image.source or Path() for image in images))
    _require_folder_for_pictures(folder, files)
    taken: set[str] = set()
    names = {file: free_name(file.stem, taken) for file in files}
    with ExitStack() as stack:
        clips: dict[Path, Clip] = {}

        def show(image: ImageInput, found: DetectedImage, pixels: Pixels) -> None:
            drawn = draw(pixels, found.detections, classes, min_score=min_score)
            # A full disk ends the command: the next pictures would find it full too.
            if image.path is not None:
                save_picture(drawn, folder / f"{names[image.path]}.jpg")
            elif image.video is not None:
                if image.video not in clips:
                    stack.close()  # the video before
                    clip = Clip(folder / f"{names[image.video]}.mp4", _rate(image.video, images))
                    clips[image.video] = clip
                    stack.callback(clip.close)
                clips[image.video].write(drawn)

        yield show


def _require_folder_for_pictures(folder: Path, files: Sequence[Path]) -> None:
    for each in (folder, *folder.parents):
        if each.exists() and not each.is_dir():
            raise ConfigError(
                "is a file, not a folder", remedy="name a folder with --draw", file=each
            )
    for file in files:
        if file.resolve().parent == folder.resolve():
            raise ConfigError(
                f"holds {file.name}, an image to detect in",
                remedy="name another folder with --draw",
                file=folder,
            )


def _rate(video: Path, images: Sequence[ImageInput]) -> float:
    """Returns how many of the frames of a video there are per second."""
    times = [image.time or 0.0 for image in images if image.video == video]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 1.0
