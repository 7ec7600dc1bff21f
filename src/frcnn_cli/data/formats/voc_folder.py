"""A folder of VOC XML files and a folder of images: which XML is of which image."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from frcnn_cli.data.formats.image_names import ImageFinder
from frcnn_cli.data.formats.layout import bare_name, is_file, is_image_name
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
        xml: how each XML file ends, ".xml" in any case of letters, by its id.
    """

    def __init__(self, annotations: Path, images: Path) -> None:
        self.annotations = annotations
        self.images = images
        self.xml: Mapping[str, str] = _xml_below(annotations, deep=annotations != images)
        self._finder = ImageFinder(images)
        self._listings: dict[Path, dict[str, tuple[str, ...]]] = {}
        self._orphans: dict[str, list[str]] | None = None

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
        own, named = self._own(stem), self._named(stem, filename)
        if named is None:
            if len(own) > 1:
                raise self._ambiguous(stem, f"could be of {own[0].name} or of {own[1].name}")
            found = own[0] if own else self._resembling(stem, filename)
            if found is None:
                raise self._without_image(stem, filename)
        elif named.stem == _name(stem) or not own or not self._has_own_xml(stem, named):
            found = named
        else:
            found = own[0]
        others = {*self._orphans_of(found.name)} - {stem}
        if not own and self._has_own_xml(stem, found):
            others.add((PurePosixPath(stem).parent / found.stem).as_posix())
        if others:
            raise self._ambiguous(stem, f"is of {found.name}, as {min(others)!r} is")
        return found

    def without_xml(self) -> list[Path]:
        """Returns the images directly beside or below which no XML file is of."""
        stems = {_name(stem) for stem in self.xml}
        folders = {self.images, *(self._folder(stem) for stem in self.xml)}
        lone = [
            path
            for folder in sorted(folders)
            for stem, names in self._listing(folder).items()
            if stem not in stems
            for path in (folder / name for name in names)
        ]
        claimed = self._claimed(self.xml) if lone else {}
        return [path for path in lone if path.name not in claimed]

    def names_images(self) -> bool:
        """Returns whether some XML file is of an image, by its own name or by its `<filename>`."""
        return any(map(self._own, self.xml)) or any(  # the first of them, mostly
            self._finder.find(name) for name in self._claimed(self.xml)
        )

    def _folder(self, stem: str) -> Path:
        """Returns the folder of images that is called as the XML's."""
        parent = stem.rpartition("/")[0]
        return self.images / parent if parent else self.images

    def _own(self, stem: str) -> list[Path]:
        """Returns the images of the XML's own name, in the same folder or else at the top."""
        name = _name(stem)
        for folder in dict.fromkeys((self._folder(stem), self.images)):
            if found := self._listing(folder).get(name):
                return [folder / each for each in found]
        return []

    def _named(self, stem: str, filename: str) -> Path | None:
        if filename in {"", ".", ".."}:
            return None
        places = dict.fromkeys((self._folder(stem) / filename, self.images / filename))
        return next((place for place in places if is_file(place)), None)

    def _resembling(self, stem: str, filename: str) -> Path | None:
        if filename and (found := self._finder.find(filename)):
            return found
        name = _name(stem).lower()
        below = [path for path in self._finder.below() if path.stem.lower() == name]
        return below[0] if len(below) == 1 else None

    def _has_own_xml(self, stem: str, image: Path) -> bool:
        """Returns whether an image that the XML `stem` names has an XML of its own name."""
        beside = PurePosixPath(stem).parent / image.stem
        return beside.as_posix() in self.xml

    def _orphans_of(self, name: str) -> list[str]:
        """Returns the XML files without an image of their own name that are of the image `name`."""
        if self._orphans is None:
            self._orphans = self._claimed(stem for stem in self.xml if not self._own(stem))
        return self._orphans.get(name, [])

    def _claimed(self, stems: Iterable[str]) -> dict[str, list[str]]:
        """Returns the XML files by the image that they say they are of, if it has another name."""
        claims = defaultdict(list)
        for stem in stems:
            name = _quick_filename(self.source(stem))
            if name and PurePosixPath(name).stem != _name(stem):
                claims[name].append(stem)
        return dict(claims)

    def _listing(self, folder: Path) -> dict[str, tuple[str, ...]]:
        """Returns the images directly in a folder by their names without endings."""
        if folder not in self._listings:
            found: dict[str, tuple[str, ...]] = {}
            try:
                names = sorted(os.listdir(folder))  # noqa: PTH208  (names are enough, and quick)
            except OSError:
                names = []
            for name in names:
                if is_image_name(name) and not name.startswith("."):
                    stem = os.path.splitext(name)[0]  # noqa: PTH122
                    found[stem] = (*found.get(stem, ()), name)
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


def _name(stem: str) -> str:
    return stem.rpartition("/")[2]


def _xml_below(folder: Path, *, deep: bool) -> dict[str, str]:
    """Returns the endings of the XML files in a folder, and maybe below it, by their ids."""
    found: dict[str, str] = {}
    for name in _walk(str(folder), "", deep):
        found.setdefault(name[: -len(".xml")], sys.intern(name[-len(".xml") :]))
    return dict(sorted(found.items()))


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
