"""A folder of VOC XML files and a folder of images: which XML is of which image."""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

from frcnn_cli.data.formats.image_names import ImageFinder
from frcnn_cli.data.formats.layout import bare_name, is_file, is_image_name
from frcnn_cli.data.image_files import walk_names
from frcnn_cli.errors import AnnotationError

_FILENAME = re.compile(rb"<filename>\s*([^<]+?)\s*</filename>")
_HEAD = 4096
"""Bytes of an XML file in which its `<filename>` stands."""


class VocFolder:
    """The XML files below one folder and the images below another.

    An id is the path of the XML in its folder without its ending, such as "day1/x".

    Args:
        annotations: the folder of the XML files.
        images: the folder of the images.

    Attributes:
        xml (Mapping[str, str]): how each XML file ends, ".xml" in any case, by its id.
    """

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations = annotations
        self.images = images
        self.xml, self._twins = _xml_below(annotations, deep=annotations != images)
        self._finder = ImageFinder(images)
        self._listings: dict[str, dict[str, tuple[str, ...]]] = {}

    def source(self, stem: str) -> Path:
        """Returns the XML file of an id, whether it is there or not."""
        return self.annotations / f"{stem}{self.xml.get(stem, '.xml')}"

    def image(self, stem: str, filename: str) -> Path:
        """Returns the image of an XML file: the one that it names, or else that of its own name.

        Args:
            stem: the id of the XML.
            filename: the image's name in the XML, without a folder; "" where there is none.

        Raises:
            AnnotationError: there is no such image, or it is not clear which one.
        """
        if stem in self._twins:
            raise self._ambiguous(stem, "has a twin whose ending is written in another case")
        own = self._own(stem)
        named = self._named(stem, filename, own)
        if named is None:
            if len(own) > 1:
                raise self._ambiguous(stem, f"could be of {own[0]} or of {own[1]}")
            found = own[0] if own else self._resembling(stem, filename)
            if found is None:
                raise self._without_image(stem, filename)
        elif named in own or not own or not self._has_own_xml(stem, named):
            found = named
        else:
            found = own[0]
        others = {*self._orphans.get(_name(found), ())}
        if not own and self._has_own_xml(stem, found):
            others.add(_beside(stem, found))
        if others := others - {stem}:
            raise self._ambiguous(stem, f"is of {_name(found)}, as {min(others)!r} is")
        return self.images / found

    def place(self, stem: str) -> str:
        """Returns the image of an XML file as a path in their folder; "" where none is seen."""
        return next(iter(self._own(stem)), "") or self._guess(stem) or ""

    def without_xml(self) -> list[str]:
        """Returns the images that no XML file is of, as paths in their folder."""
        names = {_name(stem) for stem in self.xml}
        lone = [
            image
            for image in walk_names(self.images)
            if _stem(image) not in self.xml and ("/" in image or _stem(image) not in names)
        ]
        used = {self._guess(stem) for stem in self.xml} if lone else set()
        return [image for image in lone if image not in used]

    def names_images(self) -> bool:
        """Returns whether some XML file is of an image, by its own name or by its `<filename>`."""
        return any(map(self.place, self.xml))  # of the first, mostly

    def _own(self, stem: str) -> list[str]:
        """Returns the images of the XML's own name, in the same folder or else at the top."""
        name = _name(stem)
        for folder in _folders_of(stem):
            if found := self._listing(folder).get(name):
                return [f"{folder}{each}" for each in found]
        return []

    def _named(self, stem: str, filename: str, own: Sequence[str]) -> str | None:
        if filename in {"", ".", ".."}:
            return None
        places = [f"{folder}{filename}" for folder in _folders_of(stem)]
        return next((p for p in places if p in own or is_file(self.images / p)), None)

    def _resembling(self, stem: str, filename: str) -> str | None:
        found = self._finder.find(filename) if filename else None
        if found is not None:
            return found.relative_to(self.images).as_posix()
        alike = self._by_name.get(_name(stem).lower(), [])
        return alike[0] if len(alike) == 1 else None

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """The images by their names in lower case, without endings."""
        below = defaultdict(list)
        for image in walk_names(self.images):
            below[_stem(_name(image)).lower()].append(image)
        return dict(below)

    def _guess(self, stem: str) -> str | None:
        """Returns the image that an XML file names, or that resembles its name."""
        name = _quick_filename(self.source(stem))
        return self._named(stem, name, ()) or self._resembling(stem, name)

    def _has_own_xml(self, stem: str, image: str) -> bool:
        """Returns whether an image that the XML `stem` names has an XML of its own name."""
        return _beside(stem, image) in self.xml

    @cached_property
    def _orphans(self) -> dict[str, list[str]]:
        """The XML files without an image of their own name, by the image that they name."""
        claims = defaultdict(list)
        for stem in self.xml:
            name = "" if self._own(stem) else _quick_filename(self.source(stem))
            if name and _stem(name) != _name(stem):
                claims[name].append(stem)
        return dict(claims)

    def _listing(self, folder: str) -> dict[str, tuple[str, ...]]:
        """Returns the images directly in a folder of the images, by names without endings."""
        if folder not in self._listings:
            found: dict[str, tuple[str, ...]] = {}
            try:
                names = sorted(os.listdir(self.images / folder))  # noqa: PTH208  (names are enough, and quick)
            except OSError:
                names = []
            for name in names:
                if is_image_name(name) and not name.startswith("."):
                    found[_stem(name)] = (*found.get(_stem(name), ()), name)
            self._listings[folder] = found
        return self._listings[folder]

    def _ambiguous(self, stem: str, problem: str) -> AnnotationError:
        return AnnotationError(
            problem,
            remedy="give every image one XML, with its name in <filename>",
            file=self.source(stem),
        )

    def _without_image(self, stem: str, filename: str) -> AnnotationError:
        named = f" nor {filename!r}" if filename else ""
        return AnnotationError(
            f"has no image: neither {_name(stem)!r} with an image's ending{named} "
            f"is in {self.images}",
            remedy="add the image or remove the annotation",
            file=self.source(stem),
        )


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    return posixpath.splitext(path)[0]


def _folders_of(stem: str) -> tuple[str, ...]:
    """Returns where the image of an XML may be, with "/" behind it: its folder, and the top."""
    folder = stem[: -len(_name(stem))]
    return (folder, "") if folder else ("",)


def _beside(stem: str, image: str) -> str:
    """Returns the XML of an image's own name in the folder of the XML `stem`."""
    return f"{_folders_of(stem)[0]}{_stem(_name(image))}"


def _xml_below(folder: Path, *, deep: bool) -> tuple[dict[str, str], set[str]]:
    """Returns the endings of the XML files in a folder, and maybe below it, by their ids.

    Returns:
        The endings, and the ids that several files have.
    """
    found: dict[str, str] = {}
    twins = set()
    for name in _walk(str(folder), "", deep):
        stem, ending = name[: -len(".xml")], sys.intern(name[-len(".xml") :])
        if found.setdefault(stem, ending) != ending:
            twins.add(stem)
    return dict(sorted(found.items())), twins


def _walk(folder: str, prefix: str, deep: bool) -> Iterator[str]:
    """Yields the XML files of a folder as paths in the one where the walk began."""
    below = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(".xml") and entry.is_file():
                yield prefix + entry.name
            elif deep and entry.is_dir(follow_symlinks=False):
                below.append(entry)
    for entry in below:
        yield from _walk(entry.path, f"{prefix}{entry.name}/", deep)


def _quick_filename(path: Path) -> str:
    """Returns the image's name in an XML file without parsing the file, or ""."""
    try:
        with path.open("rb") as stream:
            found = _FILENAME.search(stream.read(_HEAD))
    except OSError:
        return ""
    return bare_name(found[1].decode("utf-8", "replace")) if found else ""
