"""Pictures and videos in a folder of the user's, each under a name of its own."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frcnn_cli.errors import DataError
from frcnn_cli.files import atomic_file, writing

_REMEDY = "name a folder that you can write to"


def free_name(stem: str, taken: set[str]) -> str:
    """Returns `stem`, or with a number what is not `taken` in any case of letters, and takes it."""
    names = chain((stem,), (f"{stem}-{i}" for i in count(2)))
    name = next(name for name in names if name.casefold() not in taken)
    taken.add(name.casefold())
    return name


def save_picture(picture: Image.Image, path: Path) -> None:
    """Writes a JPEG, all of it or none of it, and its folder if need be.

    Raises:
        DataError: it cannot be written.
    """
    with (
        writing(path, DataError, remedy=_REMEDY, make_folder=True),
        atomic_file(path, durable=False) as stream,
    ):
        picture.save(stream, "JPEG", quality=92)


class Clip:
    """An MP4 that is written picture by picture, and appears when it is closed.

    Args:
        path: the file; its folder is made if need be.
        rate: pictures per second.
    """

    def __init__(self, path: Path, rate: float) -> None:
        self._path = path
        self._temporary = path.with_name(f".{path.stem}.tmp.mp4")
        self._rate = rate
        self._writer: Any = None

    def write(self, picture: Image.Image) -> None:
        """Appends a picture, of the size of the first.

        Raises:
            DataError: the file cannot be written.
        """
        import cv2  # noqa: PLC0415  a broken OpenCV is an error of its own

        if self._writer is None:
            with writing(self._path, DataError, remedy=_REMEDY, make_folder=True):
                pass
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._temporary), code, self._rate, picture.size)
            if not self._writer.isOpened():
                raise DataError("cannot be written", remedy=_REMEDY, file=self._path)
        self._writer.write(np.ascontiguousarray(np.asarray(picture)[..., ::-1]))

    def close(self) -> None:
        """Finishes the file, if a picture was written.

        Raises:
            DataError: it cannot be written.
        """
        if self._writer is not None:
            self._writer.release()
            with writing(self._path, DataError, remedy=_REMEDY):
                self._temporary.replace(self._path)
