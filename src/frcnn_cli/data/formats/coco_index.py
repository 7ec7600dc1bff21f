"""COCO JSON, read into arrays: a million annotations take some 40 MB.

The file is mapped into memory and its entries are decoded one at a time, so that neither it nor
the objects in it are ever held as a whole.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

from frcnn_cli.data.formats.coco import CocoFile
from frcnn_cli.data.formats.coco_json import (
    Category,
    CocoAnnotation,
    CocoLists,
    Image,
    OfImage,
    id_text,
    is_set,
    read_lists,
    reason_of,
    whole,
)
from frcnn_cli.data.formats.voc_xml import LARGEST
from frcnn_cli.data.record import MOST_REPORTED
from frcnn_cli.errors import AnnotationError, DataError, count

EntryT = TypeVar("EntryT")


def read_coco(path: Path) -> CocoFile | None:
    """Reads a COCO JSON file; None where it lacks `images` or `categories`, and so is another.

    Raises:
        AnnotationError: it cannot be read, is not JSON or has no objects.
    """
    top = read_lists(path)
    if top.images is None or top.categories is None:
        return None
    if top.annotations is None:  # its images are not known to be empty
        raise AnnotationError("has no `annotations`", remedy="it is not used", file=path)
    return _index(path, top, _Notes(path))


def _index(path: Path, top: CocoLists, notes: _Notes) -> CocoFile:
    categories = _Categories(notes)
    for category in _entries(Category, top.categories, "category", notes):
        categories.add(category)
    images = _Images(notes)
    for image in _entries(Image, top.images, "image", notes):
        images.add(image)
    objects = _Objects(images, categories, notes)
    for place, raw in enumerate(top.annotations or (), 1):
        objects.add(place, raw)
    owners = np.asarray(objects.owners, np.int32)
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], np.arange(len(images.names) + 1))
    objects.refuse_background(np.flatnonzero(np.diff(starts) == 0).tolist())
    return CocoFile(
        path,
        tuple(images.ids),
        images.places,
        tuple(images.names),
        categories.names,
        starts,
        np.asarray(objects.edges, np.float32).reshape(-1, 4)[order],
        np.asarray(objects.category_ids, np.int64)[order],
        np.asarray(objects.difficult, np.bool_)[order],
        np.asarray(objects.numbers, np.int32)[order],
        objects.bad,
        notes.all(),
    )


class _Categories:
    """The categories of a file.

    Attributes:
        names: the name of each id.
        ambiguous: the names of each id that several categories have.
    """

    def __init__(self, notes: _Notes) -> None:
        self.names: dict[int, str] = {}
        self.ambiguous: dict[int, list[str]] = {}
        self._notes = notes

    def add(self, category: Category) -> None:
        """Adds a category, or notes what is wrong with it."""
        name, number = " ".join(category.name.split()), whole(category.id)
        if not name or number is None:
            self._notes.add("category without a name or a whole number", str(category.id))
        elif self.names.setdefault(number, name) != name:
            self.ambiguous.setdefault(number, [self.names[number]]).append(name)
            self._notes.add("category with the id of another", f"{number} ({name!r})")


class _Images:
    """The images of a file.

    Attributes:
        ids: the id of each image as text; of several with one id, the second has "#2" behind it.
        names: their file names.
        places: their places in both lists by id; a file that is listed twice has two ids.
        ambiguous: the ids that stand on several files, and the places of those.
    """

    def __init__(self, notes: _Notes) -> None:
        self.ids: list[str] = []
        self.names: list[str] = []
        self.places: dict[str, int] = {}
        self.ambiguous: dict[str, list[int]] = {}
        self._of_file: dict[str, int] = {}
        self._notes = notes

    def add(self, image: Image) -> None:
        """Adds an image; its id must be its own, and its file too."""
        written = image.file_name or image.coco_url  # LVIS has no other
        if not written:
            self._notes.add("image without a file name", id_text(image.id))
            return
        key, name = id_text(image.id), written.replace("\\", "/").removeprefix("./")
        listed = self._of_file.get(name)
        if listed is not None:
            self._notes.add("image listed twice, which is used once", repr(written))
        if key not in self.places:
            self.places[key] = self._append(key, name) if listed is None else listed
        elif self.places[key] != listed:
            self._notes.add("image with the id of another", f"{key} ({written!r})")
            same = self.ambiguous.setdefault(key, [self.places[key]])
            if listed is None:
                title = f"{key}#{len(same) + 1}"
                listed = self.places[title] = self._append(title, name)
            same.append(listed)

    def owner(self, image_id: float | str) -> int | None:
        """Returns the place of the image, or of one of those, that an id stands on; or None."""
        place = self.places.get(id_text(image_id))
        if place is None and (number := whole(image_id)) is not None:
            return self._by_number.get(number)
        return place

    @cached_property
    def _by_number(self) -> dict[int, int | None]:
        """The place of each number's only id, however written ("007" is 7); None if it has more."""
        places: dict[int, int | None] = {}
        for key, place in self.places.items():
            if (number := whole(key)) is not None:
                places[number] = None if number in places else place
        return places

    def _append(self, key: str, name: str) -> int:
        self._of_file[name] = len(self.names)
        self.ids.append(key)
        self.names.append(name)
        return len(self.names) - 1


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

    def __init__(self, images: _Images, categories: _Categories, notes: _Notes) -> None:
        self.owners = array("i")
        self.category_ids = array("q")
        self.difficult = array("b")
        self.edges = array("f")
        self.numbers = array("i")
        self.bad: dict[int, list[str]] = {}
        self._images = images
        self._categories = categories
        self._notes = notes
        self._ownerless: list[int] = []
        self._decoder = msgspec.json.Decoder(CocoAnnotation)
        for key, places in images.ambiguous.items():
            files = ", ".join(repr(images.names[place][:80]) for place in places[:5])
            for place in places:
                self._refuse(place, f"id {key} stands on {len(places)} images: {files}")

    def add(self, place: int, raw: msgspec.Raw) -> None:
        """Adds the annotation at a place of the file, counted from 1, or notes what is wrong."""
        try:
            entry = self._decoder.decode(raw)
        except (ValueError, RecursionError) as error:
            owner = self._owner(place, _image_id(raw), reason_of(error))
            if owner is not None:
                self._refuse(owner, f"annotation {place}: {reason_of(error)}")
            return
        owner = self._owner(place, entry.image_id, "its image_id is null")
        if owner is None:
            return
        number = whole(entry.category_id)
        problem = self._problem(entry, number)
        if problem or number is None:
            self._refuse(owner, f"annotation {place} {problem}")
            return
        x, y, width, height = entry.bbox
        self.owners.append(owner)
        self.category_ids.append(number)
        self.difficult.append(is_set(entry.iscrowd) or is_set(entry.ignore))
        self.edges.extend((x, y, x + width, y + height))
        self.numbers.append(place)

    def refuse_background(self, without_objects: Iterable[int]) -> None:
        """Refuses images without objects if they may own annotations that name no image."""
        if self._ownerless:
            problem = (
                f"has no objects, but annotations that name no image may be of it, such as "
                f"annotation {self._ownerless[0]}"
            )
            for place in without_objects:
                self._refuse(place, f"image {self._images.names[place][:80]!r} {problem}")

    def _owner(self, place: int, image_id: float | str | None, problem: str) -> int | None:
        """Returns the place of an annotation's image, or notes that it has none."""
        if image_id is None:
            self._ownerless.append(place)
            self._notes.add("annotation that cannot be read", f"{place} ({problem})")
            return None
        owner = self._images.owner(image_id)
        if owner is None:
            self._notes.add(
                "annotation of an image that is not listed", f"{place} of image {image_id}"
            )
        return owner

    def _refuse(self, owner: int, problem: str) -> None:
        found = self.bad.setdefault(owner, [])
        if len(found) <= MOST_REPORTED:  # one more, so that the report shows that there are more
            found.append(problem)

    def _problem(self, entry: CocoAnnotation, category: int | None) -> str:
        if category in self._categories.ambiguous:
            names = " and ".join(map(repr, self._categories.ambiguous[category][:5]))
            return f"is of category {category}, which is {names}"
        if category not in self._categories.names:
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
            notes.add(f"{noun} that cannot be read", f"number {place} ({reason_of(error)})")


def _image_id(raw: msgspec.Raw) -> float | str | None:
    """Returns the image that an otherwise unreadable annotation names, if it names one."""
    try:
        return msgspec.json.decode(raw, type=OfImage).image_id
    except (ValueError, RecursionError):
        return None


class _Notes:
    """Counts what is wrong with a file, with the first example of each kind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, tuple[int, str]] = {}

    def add(self, kind: str, example: str) -> None:
        number, first = self._found.get(kind, (0, example))
        self._found[kind] = number + 1, first

    def all(self) -> tuple[DataError, ...]:
        """Returns one error per kind."""
        return tuple(
            AnnotationError(
                f"has {count(number, noun)} {rest}, such as {first[:200]}",
                remedy="fix or remove it; it is not used",
                file=self._path,
            )
            for kind, (number, first) in self._found.items()
            for noun, _, rest in (kind.partition(" "),)
        )
