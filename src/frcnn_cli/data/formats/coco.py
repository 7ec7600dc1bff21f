"""COCO JSON, read into arrays: a million annotations take some 40 MB.

The file is mapped into memory and its entries are decoded one at a time, so that neither it nor
the objects in it are ever held as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from frcnn_cli.data.formats.coco_json import (
    Annotation,
    Category,
    CocoLists,
    Image,
    OfImage,
    read_lists,
    told,
)
from frcnn_cli.data.formats.layout import find_named_image
from frcnn_cli.data.formats.voc_xml import LARGEST
from frcnn_cli.data.record import MOST_TOLD, Record
from frcnn_cli.errors import AnnotationError, DataError
from frcnn_cli.records import BoolArray, FloatArray, IntArray

EntryT = TypeVar("EntryT")


@dataclass(frozen=True, eq=False)
class CocoFile:
    """What one COCO JSON file says.

    Attributes:
        path: the file.
        images: the place 0..I-1 of each image, by its id in the file as text.
        names: (I) file names, as written.
        categories: the name of each category id.
        starts: (I + 1,) the objects of image i are `starts[i]` up to `starts[i + 1]`.
        boxes: (N, 4) float32 xyxy, as written: not clipped, maybe empty.
        category_ids: (N,) int64.
        difficult: (N,) bool; crowds, and what the file says to ignore.
        numbers: (N,) int32; the place of each object in the file's list, counted from 1.
        bad: what is wrong with an image's annotations, by its place; those are not in the
            arrays.
        notes: what is wrong with the file; the rest of it is used.
    """

    path: Path
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


@dataclass(frozen=True, slots=True)
class CocoReader:
    """Reads images of COCO files; an id is the file's key, "/" and the image's id.

    Attributes:
        files: the files by key; with the only key "", ids are the images' ids.
        folders: where the images of each file are.
    """

    files: Mapping[str, CocoFile]
    folders: Mapping[str, Path]

    def read(self, image_id: str) -> Record:
        """Returns what the file says, and the image it belongs to.

        Raises:
            AnnotationError: it has no image.
        """
        key, file, i = self._locate(image_id)
        folder = self.folders[key]
        image = find_named_image(folder, file.names[i])
        if image is None:
            raise AnnotationError(
                f"has no file for image {image_id}: {file.names[i][:200]!r} is not in {folder}",
                remedy="add the file or remove the entry",
                file=file.path,
            )
        mine = slice(int(file.starts[i]), int(file.starts[i + 1]))
        names = tuple(file.categories[int(number)] for number in file.category_ids[mine])
        places = tuple(f"annotation {number}" for number in file.numbers[mine])
        faults = tuple(
            AnnotationError(problem, remedy="mend or remove it", file=file.path)
            for problem in file.bad.get(i, ())
        )
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

    def number(self, image_id: str) -> str:
        """Returns the id that the image has in its file."""
        return image_id if "" in self.files else image_id.split("/", 1)[1]

    def _locate(self, image_id: str) -> tuple[str, CocoFile, int]:
        key = "" if "" in self.files else image_id.split("/", 1)[0]
        file = self.files[key]
        return key, file, file.images[self.number(image_id)]


def read_coco(path: Path) -> CocoFile | None:
    """Reads a COCO JSON file; None where it lacks `images` or `categories`, and so is another.

    Raises:
        AnnotationError: it cannot be read or is not JSON.
    """
    top = read_lists(path)
    if top.images is None or top.categories is None:
        return None
    return _index(path, top, _Notes(path))


def _index(path: Path, top: CocoLists, notes: _Notes) -> CocoFile:
    categories: dict[int, str] = {}
    for category in _entries(Category, top.categories, "category", notes):
        name = " ".join(category.name.split())
        if not name or category.id in categories:
            notes.add("category without a name or with the id of another", str(category.id))
        else:
            categories[category.id] = name
    images: dict[str, int] = {}
    names: list[str] = []
    for image in _entries(Image, top.images, "image", notes):
        if str(image.id) in images:
            notes.add("image with the id of another", str(image.id))
        else:
            images[str(image.id)] = len(names)
            names.append(image.file_name)
    objects = _Objects(images, categories, notes)
    for place, raw in enumerate(top.annotations or (), 1):
        objects.add(place, raw)
    owners = np.asarray(objects.owners, np.int32)
    order = np.argsort(owners, kind="stable")
    return CocoFile(
        path,
        images,
        tuple(names),
        categories,
        np.searchsorted(owners[order], np.arange(len(names) + 1)),
        np.asarray(objects.edges, np.float32).reshape(-1, 4)[order],
        np.asarray(objects.category_ids, np.int64)[order],
        np.asarray(objects.difficult, np.bool_)[order],
        np.asarray(objects.numbers, np.int32)[order],
        objects.bad,
        notes.all(),
    )


class _Objects:
    """Objects in the order of the file.

    Attributes:
        owners: the place of each object's image.
        category_ids: of each object.
        difficult: of each object.
        edges: four for each object, xyxy.
        numbers: the place of each object in the file, counted from 1.
        bad: what is wrong with the objects of an image, by its place.
    """

    def __init__(
        self, images: Mapping[str, int], categories: Mapping[int, str], notes: _Notes
    ) -> None:
        self.owners = array("i")
        self.category_ids = array("q")
        self.difficult = array("b")
        self.edges = array("f")
        self.numbers = array("i")
        self.bad: dict[int, list[str]] = {}
        self._images = images
        self._categories = categories
        self._notes = notes
        self._decoder = msgspec.json.Decoder(Annotation)

    def add(self, place: int, raw: msgspec.Raw) -> None:
        """Adds the annotation at a place of the file, counted from 1, or notes what is wrong."""
        try:
            entry = self._decoder.decode(raw)
        except (ValueError, RecursionError) as error:
            owner = _owner(raw, self._images)
            if owner is None:
                self._notes.add("annotation that cannot be read", f"{place} ({told(error)})")
            else:
                self._refuse(owner, f"annotation {place}: {told(error)}")
            return
        owner = self._images.get(str(entry.image_id))
        if owner is None:
            self._notes.add(
                "annotation of an image that is not listed", f"{place} of image {entry.image_id}"
            )
            return
        problem = self._problem(entry)
        if problem:
            self._refuse(owner, f"annotation {place} {problem}")
            return
        x, y, width, height = entry.bbox
        self.owners.append(owner)
        self.category_ids.append(entry.category_id)
        self.difficult.append(bool(entry.iscrowd or entry.ignore))
        self.edges.extend((x, y, x + width, y + height))
        self.numbers.append(place)

    def _refuse(self, owner: int, problem: str) -> None:
        found = self.bad.setdefault(owner, [])
        if len(found) <= MOST_TOLD:  # one more, so that it is told that there are more
            found.append(problem)

    def _problem(self, entry: Annotation) -> str:
        if entry.category_id not in self._categories:
            return f"is of the unknown category {entry.category_id}"
        if not max(map(abs, entry.bbox)) <= LARGEST:
            return f"has the bbox {entry.bbox}"
        return ""


def _entries(
    kind: type[EntryT], raws: list[msgspec.Raw] | None, noun: str, notes: _Notes
) -> Iterator[EntryT]:
    decoder = msgspec.json.Decoder(kind)
    for place, raw in enumerate(raws or (), 1):
        try:
            yield decoder.decode(raw)
        except (ValueError, RecursionError) as error:
            notes.add(f"{noun} that cannot be read", f"number {place} ({told(error)})")


def _owner(raw: msgspec.Raw, images: Mapping[str, int]) -> int | None:
    """Returns the place of the image that an otherwise unreadable annotation is of."""
    try:
        return images.get(str(msgspec.json.decode(raw, type=OfImage).image_id))
    except (ValueError, RecursionError):
        return None


class _Notes:
    """Counts what is wrong with a file, with the first example of each kind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, kind: str, example: str) -> None:
        count, first = self._found.get(kind, (0, example))
        self._found[kind] = count + 1, first

    def all(self) -> tuple[DataError, ...]:
        """Returns one error a kind."""
        return tuple(
            AnnotationError(
                f"has {count:,} x {kind}, such as {first[:200]}",
                remedy="fix or remove it; it is not used",
                file=self._path,
            )
            for kind, (count, first) in self._found.items()
        )
