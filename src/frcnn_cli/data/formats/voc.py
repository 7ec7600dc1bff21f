"""Reads images annotated in PASCAL VOC XML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from frcnn_cli.data.formats.layout import key_and_rest
from frcnn_cli.data.formats.voc_folder import VocFolder
from frcnn_cli.data.formats.voc_xml import read_annotation, read_names
from frcnn_cli.data.record import Record


@dataclass(frozen=True, slots=True)
class VocReader:
    """Reads VOC XML files; an id is the XML's path, after its folder's key and "/" if it has one.

    Attributes:
        folders: the folders by key; "" is a folder whose ids have none.
    """

    folders: Mapping[str, VocFolder]

    def read(self, image_id: str) -> Record:
        """Returns the annotation in the XML, and its image.

        Raises:
            AnnotationError: there is no such XML, it is none, or it has no image.
        """
        folder, stem = self._locate(image_id)
        return read_annotation(folder.source(stem), partial(folder.image, stem))

    def class_names(self, image_id: str) -> frozenset[str]:
        """Returns the classes in an image.

        Raises:
            AnnotationError: there is no such XML, or it cannot be read.
        """
        folder, stem = self._locate(image_id)
        return frozenset(read_names(folder.source(stem)))

    def unannotated(self) -> Iterator[Path]:
        """Yields the images that no XML file is of."""
        for folder in self.folders.values():
            yield from (folder.images / name for name in folder.without_xml())

    def _locate(self, image_id: str) -> tuple[VocFolder, str]:
        key, stem = key_and_rest(image_id, self.folders)
        return self.folders[key], stem
