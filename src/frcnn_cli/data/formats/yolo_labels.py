"""Finds the text file below a folder that labels an image."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from frcnn_cli.data.formats.layout import is_file, is_image_name
from frcnn_cli.data.image_files import SUFFIXES, walk_names


class LabelFiles:
    """The images and the label files below a folder, as paths in it with "/".

    Args:
        root: the folder.

    Attributes:
        images: those that are there.
    """

    def __init__(self, root: Path) -> None:
        names = list(walk_names(root, (*SUFFIXES, ".txt")))
        self.images = [name for name in names if is_image_name(name)]
        self._root = root
        self._texts = frozenset(names).difference(self.images)

    def of(self, images: Iterable[str]) -> dict[str, str]:
        """Returns the label file of each image that has one.

        Where there is none, it is the only one whose name differs in the case of letters, if no
        other image has that.
        """
        labels: dict[str, str] = {}
        without = []
        for image in images:
            names = label_names(image)
            # A folder that several links lead to is in `_texts` once.
            found = next((n for n in names if n in self._texts or is_file(self._root / n)), None)
            if found is None:
                without.append(image)
            else:
                labels[image] = found
        resembling = defaultdict(list)
        for name in self.without_image(labels) if without else ():
            resembling[name.lower()].append(name)
        for image in without:
            found_here = [n for name in label_names(image) for n in resembling[name.lower()]]
            if len(found_here) == 1:
                labels[image] = found_here[0]
        return labels

    def without_image(self, labels: Mapping[str, str]) -> list[str]:
        """Returns the label files of which there is no image.

        Args:
            labels: the label file of each image.
        """
        owned = {name for image in self.images for name in label_names(image)}
        lone = self._texts - owned - frozenset(labels.values())
        return [name for name in sorted(lone) if is_label(self._root / name)]


def label_names(image: str) -> tuple[str, ...]:
    """Returns where the label file of an image may be: in `labels` for `images`, or beside it."""
    stem = posixpath.splitext(image)[0]
    parts = stem.split("/")
    named = [place for place, part in enumerate(parts[:-1]) if part.lower() == "images"]
    if not named:
        return (f"{stem}.txt",)
    parts[named[-1]] = "Labels" if parts[named[-1]] == "Images" else "labels"
    return f"{'/'.join(parts)}.txt", f"{stem}.txt"


def is_label(path: Path) -> bool:
    """Returns whether a text file begins with a class and four numbers."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            words = next((line for line in stream if line.strip()), "").split()
        return len([float(word) for word in words]) >= 5
    except (OSError, ValueError):
        return False
