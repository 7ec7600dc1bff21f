"""COCO files as they were read, and one image's part of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frcnn_cli.data.formats.image_names import ImageFinder
from frcnn_cli.data.formats.layout import key_and_rest
from frcnn_cli.data.image_files import walk_images
from frcnn_cli.data.record import Record
from frcnn_cli.errors import AnnotationError, DataError
from frcnn_cli.records import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class CocoFile:
    """The content of one COCO JSON file.

    Attributes:
        path: the file.
        ids: (I) the id of each image as text.
        images: the place 0..I-1 of each image, by its ids.
        names: (I) file names, as written.
        categories: the name of each category id.
        starts: (I + 1,) the objects of image i are `starts[i]` up to `starts[i + 1]`.
        boxes: (N, 4) float32 xyxy, as written: not clipped, maybe empty.
        category_ids: (N,) int64.
        difficult: (N,) bool; crowds, and what the file marks as ignored.
        numbers: (N,) int32; the place of each object in the file's list, counted from 1.
        bad: what is wrong with an image's annotations, by its place; those are not in the
            arrays.
        notes: what is wrong with the file; the rest of it is used.
    """

    path: Path
    ids: tuple[str, ...]
    images: Mapping[str, int]
    names: tuple[str, ...]
    categories: Mapping[int, str]
    starts: IntArray
    boxes: FloatArray
    category_ids: IntArray
    difficult: BoolArray
    numbers: npt.NDArray[np.int32]
    bad: Mapping[int, Sequence[str]]
    notes: tuple[DataError, ...]

    def fault(self, problem: str, remedy: str) -> AnnotationError:
        """Returns what is wrong with an entry, as an error about the file."""
        return AnnotationError(problem, remedy=remedy, file=self.path)


@dataclass(frozen=True, slots=True)
class CocoReader:
    """Reads images of COCO files; an id is the file's key, "/" and the image's id.

    Attributes:
        files: the files by key; with the only key "", ids are the images' ids.
        folders: where the images of each file are.
    """

    files: Mapping[str, CocoFile]
    folders: Mapping[str, ImageFinder]

    def read(self, image_id: str) -> Record:
        """Returns the annotation of an image, and the image.

        Raises:
            AnnotationError: it has no image.
        """
        key, file, i = self._locate(image_id)
        finder = self.folders[key]
        image = finder.find(file.names[i])
        if image is None:
            raise file.fault(
                f"has no file for image {image_id}: {file.names[i][:200]!r} is not in "
                f"{finder.folder}",
                "add the file or remove the entry",
            )
        mine = slice(int(file.starts[i]), int(file.starts[i + 1]))
        names = tuple(file.categories[int(number)] for number in file.category_ids[mine])
        places = tuple(f"annotation {number}" for number in file.numbers[mine])
        faults = tuple(file.fault(each, "fix or remove it") for each in file.bad.get(i, ()))
        return Record(
            image,
            file.path,
            names,
            file.boxes[mine],
            file.difficult[mine],
            places,
            faults,
        )

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image."""
        _, file, i = self._locate(image_id)
        numbers = file.category_ids[file.starts[i] : file.starts[i + 1]].tolist()
        return frozenset(file.categories[number] for number in numbers)

    def unannotated(self) -> Iterator[Path]:
        """Yields the images below the folders that no file lists, with objects or without."""
        listed = {
            path.resolve()
            for key, file in self.files.items()
            for path in filter(None, map(self.folders[key].find, file.names))
        }
        for folder in dict.fromkeys(finder.folder for finder in self.folders.values()):
            yield from (path for path in walk_images(folder) if path.resolve() not in listed)

    def category_numbers(self, image_ids: Iterable[str]) -> dict[str, int]:
        """Returns the categories of the files that hold the images; none if they contradict."""
        numbers: dict[str, int] = {}
        for key in sorted({key_and_rest(each, self.files)[0] for each in image_ids}):
            for number, name in sorted(self.files[key].categories.items()):
                if numbers.setdefault(name, number) != number:
                    return {}
        return numbers if len({*numbers.values()}) == len(numbers) else {}

    def number(self, image_id: str) -> str:
        """Returns the id that the image has in its file."""
        return key_and_rest(image_id, self.files)[1]

    def _locate(self, image_id: str) -> tuple[str, CocoFile, int]:
        key, number = key_and_rest(image_id, self.files)
        file = self.files[key]
        return key, file, file.images[number]
