"""Pictures in a folder of the user's, each under a name of its own."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from PIL import Image

from frcnn_cli.errors import DataError
from frcnn_cli.files import atomic_file, writing


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
    remedy = "name a folder that you can write to"
    with (
        writing(path, DataError, remedy=remedy, make_folder=True),
        atomic_file(path, durable=False) as stream,
    ):
        picture.save(stream, "JPEG", quality=92)
