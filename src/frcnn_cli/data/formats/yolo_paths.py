"""The folders and lists of images that a YOLO data set names, found inside of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from frcnn_cli.data.formats.image_names import ImageFinder
from frcnn_cli.data.formats.layout import is_file, safe_join, split_called
from frcnn_cli.data.image_files import walk_images
from frcnn_cli.errors import DataError
from frcnn_cli.files import read_text, text_lines


class EntryFinder:
    """Finds what the entries of a file name, never outside of the file's folder.

    Args:
        path: the file.
        base: its entry `path`, to which other entries are relative; ignored outside of the folder.

    Attributes:
        notes: what is wrong with the lists that were read.
    """

    def __init__(self, path: Path, base: Any) -> None:
        self.notes: list[DataError] = []
        self._path = path
        self._root = path.parent
        self._names = ImageFinder(self._root)
        self._bases = [self._root]
        inside = self._inside(base) if isinstance(base, str) else ""
        joined = safe_join(self._root, inside) if inside else None
        if joined is not None and joined.is_dir():
            self._bases.insert(0, joined)

    def images(self, entry: Any) -> list[str]:
        """Returns the ids of the images that an entry names: a folder, or a text file of paths.

        Raises:
            DataError: it names neither, or nothing is in it.
        """
        if not isinstance(entry, str):
            raise self._wrong(f"has the entry {str(entry)[:60]!r}", "name a folder or a list")
        place = self.place(entry)
        if place is None:
            raise self._wrong(
                f"names {entry[:200]!r}, which is not in {self._root}",
                "put the images beside the file, and name their folder relative to it",
            )
        found = sorted(walk_images(place)) if place.is_dir() else self._listed(place)
        if not found:
            remedy = "add images, or name another folder or list"
            raise self._wrong(f"names {entry[:200]!r}, which holds no images", remedy)
        return [each.relative_to(self._root).as_posix() for each in found]

    def place(self, entry: str) -> Path | None:
        """Returns the file or folder that an entry names, or None."""
        return next((p for p in self._places(self._bases, entry) if p.exists()), None)

    def _listed(self, path: Path) -> list[Path]:
        """Returns the images of a list; those that are not there are reported when they are read.

        Paths that lead out of the data set are noted.
        """
        found: list[Path] = []
        outside: list[str] = []
        for _, line in text_lines(path):
            places = [*self._places([path.parent, *self._bases], line)]
            place = next((p for p in places if is_file(p)), None) or self._names.find(line)
            if place is not None:
                found.append(place)
            elif places:
                found.append(places[0])
            else:
                outside.append(line)
        if outside:
            number, example = f"{len(outside):,} images", f"{outside[0][:200]!r}"
            problem = f"lists {number} outside of {self._root}, such as {example}"
            remedy = "list paths relative to the data.yaml; they are not used"
            self.notes.append(self._wrong(problem, remedy))
        return found

    def _wrong(self, problem: str, remedy: str) -> DataError:
        return DataError(problem, remedy=remedy, file=self._path)

    def _places(self, bases: Iterable[Path], entry: str) -> Iterator[Path]:
        """Yields where an entry may lead: from each base, then without its first folders.

        Tools put the name of the data set, or of a folder on another machine, in front. What is
        left has a folder and a name, or is the name of a split or of a list.
        """
        text = self._inside(entry)
        if not PurePosixPath(text).is_absolute():
            for base in bases:
                if (place := safe_join(base, text)) is not None:
                    yield place
        parts = PurePosixPath(text.lstrip("/")).parts
        for start in range(0 if text.startswith("/") else 1, len(parts)):
            rest = parts[start:]
            if len(rest) > 1 or split_called(rest[0]) or rest[0].endswith((".txt", ".names")):
                place = safe_join(self._root, "/".join(rest))
                if place is not None and place.exists():
                    yield place

    def _inside(self, entry: str) -> str:
        """Returns a path relative to the folder if it is in it, without "../" in front."""
        text = entry.strip().replace("\\", "/")
        for root in (self._root.absolute(), self._root.resolve()):
            if text.startswith("/") and Path(text).is_relative_to(root):
                return Path(text).relative_to(root).as_posix()
        while text.startswith(("../", "./")):
            text = text.removeprefix("../").removeprefix("./")
        return text


def class_lines(path: Path) -> list[str]:
    """Returns the classes of a file that has one per line.

    Raises:
        DataError: it cannot be read, or a blank line makes their numbers doubtful.
    """
    lines = [" ".join(line.split()) for line in read_text(path).rstrip().splitlines()]
    if "" in lines and any(lines):
        raise DataError(
            f"line {lines.index('') + 1} is blank, but lines are the numbers of classes",
            remedy="name that class, or remove the line",
            file=path,
        )
    return lines
