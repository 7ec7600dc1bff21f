"""Images as they are given: files, pixels and frames of videos."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frcnn_cli.data.images import Pixels, load_image
from frcnn_cli.data.video import is_video, read_frame, sample_frames
from frcnn_cli.records import FloatArray, Sample


@dataclass(frozen=True)
class ImageInput:
    """An image as it is given.

    Attributes:
        path: its file; None for one that is given as pixels, or is a frame of a video.
        pixels: (H, W, 3) uint8, RGB and upright, or a function that decodes them: it is sent to
            other processes.
        proposals: (N, 4) float32 xyxy in its pixels, if they are not to be searched.
        truth: its objects, where they are known.
        video: the file that it is a frame of.
        time: of the frame, in seconds from the start.
    """

    path: Path | None
    pixels: Pixels | Callable[[], Pixels] | None = None
    proposals: FloatArray | None = None
    truth: Sample | None = None
    video: Path | None = None
    time: float | None = None

    @property
    def source(self) -> Path | None:
        """The file that it is, or is a frame of; None for one that is given as pixels."""
        return self.path or self.video

    @property
    def file(self) -> str:
        """Its path as it is given, or ""."""
        return str(self.source or "")

    def load(self) -> Pixels:
        """Returns the upright RGB pixels (H, W, 3) uint8.

        Raises:
            ImageError: the image cannot be read.
        """
        if self.pixels is None:
            assert self.path is not None, "an image is a file or pixels"
            return load_image(self.path)
        return self.pixels() if callable(self.pixels) else self.pixels


def inputs_of(files: Sequence[Path], every: float) -> list[ImageInput]:
    """Returns images as they are, and of each video a frame every `every` seconds.

    Raises:
        ImageError: a video cannot be read.
    """
    inputs = []
    for file in files:
        if is_video(file):
            inputs += [
                ImageInput(None, partial(read_frame, file, number), video=file, time=time)
                for number, time in sample_frames(file, every)
            ]
        else:
            inputs.append(ImageInput(file))
    return inputs
