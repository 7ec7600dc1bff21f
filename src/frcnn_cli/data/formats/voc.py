"""Reads images annotated in PASCAL VOC XML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.data.formats.layout import is_file
from frcnn_cli.data.formats.voc_xml import read_annotation, read_names
from frcnn_cli.data.images import SUFFIXES
from frcnn_cli.data.record import Record
from frcnn_cli.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class VocFolder:
    """Where the XML files of one folder are, and their images."""

    annotations: Path
    images: Path


@dataclass(frozen=True, slots=True)
class VocReader:
    """Reads VOC XML files; an id is the XML's name, after its folder's key and "/" if that has one.

    Attributes:
        folders: the folders by key; "" is a folder whose ids have none.
    """

    folders: Mapping[str, VocFolder]

    def read(self, image_id: str) -> Record:
        """Returns what the XML says, and the image it belongs to.

        Raises:
            AnnotationError: there is no such XML, it is none, or it has no image.
        """
        folder, source = self._locate(image_id)
        annotation = read_annotation(source)
        image = _find_image(folder.images, source.stem, annotation.filename)
        if image is None:
            named = f" nor {annotation.filename!r}" if annotation.filename else ""
            raise AnnotationError(
                f"has no image: neither {source.stem!r} with an image's ending{named} "
                f"is in {folder.images}",
                remedy="add the image or remove the annotation",
                file=source,
            )
        return Record(
            image,
            source,
            annotation.names,
            annotation.boxes,
            annotation.difficult,
            tuple(f"object {number}" for number in annotation.numbers),
            annotation.faults,
        )

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image.

        Raises:
            AnnotationError: there is no such XML, or it cannot be read.
        """
        return frozenset(read_names(self._locate(image_id)[1]))

    def _locate(self, image_id: str) -> tuple[VocFolder, Path]:
        key, _, stem = image_id.rpartition("/")
        folder = self.folders[key]
        return folder, folder.annotations / f"{stem}.xml"


def _find_image(folder: Path, stem: str, filename: str) -> Path | None:
    """Returns the file in `folder` with the XML's own name, or the one the XML names, or None."""
    names = [stem + suffix for suffix in SUFFIXES] + [stem + s.upper() for s in SUFFIXES]
    if filename not in {"", ".", ".."}:
        names.append(filename)
    for name in names:
        path = folder / name
        if is_file(path):
            return path
    return None
