"""Frames of video files, through OpenCV."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from frcnn_cli.data.images import Pixels
from frcnn_cli.errors import ImageError

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
"""Endings, in lower case, of the files that are taken for videos."""


def is_video(path: Path) -> bool:
    """Returns whether a file ends like a video."""
    return path.name.lower().endswith(SUFFIXES)


def sample_frames(path: Path, every: float) -> list[tuple[int, float]]:
    """Returns the number and the time in seconds of a frame every `every` seconds, from the first.

    Raises:
        ImageError: the file is missing, not a video, or its frames cannot be counted or read.
    """
    import cv2  # noqa: PLC0415  a broken OpenCV is an error of its own

    with _opened(path) as clip:
        rate, count = clip.get(cv2.CAP_PROP_FPS), clip.get(cv2.CAP_PROP_FRAME_COUNT)
        if not (0 < rate < np.inf and 0 < count < np.inf):
            raise ImageError("does not say how long it is", remedy="convert it to MP4", file=path)
        step = max(1.0, every * rate)
        numbers = [round(i * step) for i in range(int(count / step) + 1)]
        numbers = [number for number in numbers if number < count]
        while numbers and _read(clip, numbers[-1]) is None:  # some claim to have more
            numbers.pop()
    if not numbers:
        raise ImageError("has no frames", remedy="check that it plays", file=path)
    return [(number, number / rate) for number in numbers]


def read_frame(path: Path, number: int) -> Pixels:
    """Returns a frame of a video, counted from 0, as upright RGB pixels (H, W, 3) uint8.

    Raises:
        ImageError: it cannot be read.
    """
    with _opened(path) as clip:
        frame = _read(clip, number)
    if frame is None:
        raise ImageError(f"frame {number} is damaged", remedy="check that it plays", file=path)
    return np.ascontiguousarray(frame[..., ::-1])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import cv2  # noqa: PLC0415

    # ffmpeg must not print, nor fetch what a playlist names.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
    if not path.is_file():
        raise ImageError("does not exist", remedy="check the path", file=path)
    clip = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    try:
        if not clip.isOpened():
            raise ImageError(
                "is not a video that OpenCV can read", remedy="convert it to MP4", file=path
            )
        yield clip
    finally:
        clip.release()


def _read(clip: Any, number: int) -> Pixels | None:
    """Returns a frame as BGR; None where there is none."""
    import cv2  # noqa: PLC0415

    clip.set(cv2.CAP_PROP_POS_FRAMES, number)
    is_there, frame = clip.read()
    return frame if is_there else None
