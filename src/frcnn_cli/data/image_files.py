"""Image files found in folders, by their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from frcnn_cli.errors import DataError, ImageError
from frcnn_cli.files import advice_on_missing

SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jpe", ".jfif", ".jp2", ".avif", ".mpo"),
    *(".heic", ".heif", ".jxl"),
)
"""Endings, in lower case, of the files that are taken for images in a folder.

The last three cannot be read, but a folder of a telephone must not look empty.
"""


def find_images(paths: Iterable[Path | str]) -> list[Path]:
    """Returns the images that `paths` name, each once.

    A file is taken as given, whatever its name. A folder is searched with its subfolders for files
    that end like images, in the order of their names; hidden files and folders are left out.

    Raises:
        ImageError: a path does not exist.
        DataError: a folder holds no image or cannot be searched.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(walk_images(path))
            if not inside:
                raise DataError(
                    "holds no images",
                    remedy=f"name a folder with files such as {', '.join(SUFFIXES[:4])}",
                    file=path,
                )
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise ImageError("does not exist", remedy=advice_on_missing(path), file=path)
    return list(found)


def walk_images(folder: Path) -> Iterator[Path]:
    """Yields the images below `folder`, as `walk_names` finds them.

    Raises:
        DataError: a folder cannot be searched.
    """
    return (folder / name for name in walk_names(folder, strict=True))


def walk_names(
    folder: Path, endings: tuple[str, ...] = SUFFIXES, *, strict: bool = False
) -> Iterator[str]:
    """Yields the files below `folder` with one of the endings, as paths in it with "/".

    Symbolic links are followed, but each folder is searched once; hidden ones are left out.

    Args:
        folder: where to look.
        endings: in lower case.
        strict: whether a folder that cannot be searched is an error; otherwise it is left out.

    Raises:
        DataError: a folder cannot be searched.
    """

    def fail(error: OSError) -> None:
        raise DataError(
            f"cannot be searched ({error.strerror})",
            remedy="grant access or name its images",
            file=error.filename,
        ) from error

    seen: set[tuple[int, int]] = set()
    for parent, folders, files in os.walk(
        folder, followlinks=True, onerror=fail if strict else None
    ):
        state = os.stat(parent)  # noqa: PTH116  (as os.walk: text, of which there is much)
        inside = os.path.relpath(parent, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith(".") and name.lower().endswith(endings):
                yield prefix + name
