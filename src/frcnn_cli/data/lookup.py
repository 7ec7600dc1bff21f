"""Finds the image of a split that a file of detections names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from frcnn_cli.data.formats.image_names import common_tail
from frcnn_cli.errors import DataError
from frcnn_cli.records import Sample

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NOT_THERE = "evaluate the split that was detected"


class SampleFinder:
    """Finds samples by the name or number under which a tool lists them.

    A tool may list an image by its image id, its file name with or without the ending, or any
    path to it, since it may have run in another folder.

    Args:
        samples: the images that there are.
        numbers: the data set's own number or name of an image → image id; empty where it has
            none, and then an image is known by the number that its file name is.
    """

    def __init__(
        self, samples: Iterable[Sample], numbers: Mapping[int | str, str] | None = None
    ) -> None:
        self._paths = {sample.image_id: sample.path for sample in samples}
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        self._by_number: dict[int, list[str]] = defaultdict(list)
        self._numbers = {
            number: image_id
            for number, image_id in (numbers or {}).items()
            if image_id in self._paths
        }
        for image_id, path in self._paths.items():
            self._by_name[path.name].append(image_id)
            self._by_stem[path.stem].append(image_id)
            if path.stem.isascii() and path.stem.isdecimal():
                self._by_number[int(path.stem)].append(image_id)

    def find(self, name: str) -> str:
        """Returns the image id of the image `name`.

        Raises:
            DataError: the split has no such image, or several that fit equally well.
        """
        last = PurePath(name).name
        candidates = self._by_name.get(last) or self._by_stem.get(last, [])
        if name in self._paths and (name in candidates or not candidates):
            return name  # but COCO's id 1 may be the file 0.jpg, and 1.jpg another image
        if len(candidates) > 1:
            folders = PurePath(name).parts[:-1]
            shared = [common_tail(folders, self._paths[each].parts[:-1]) for each in candidates]
            candidates = [
                each for each, count in zip(candidates, shared, strict=True) if count == max(shared)
            ]
        return _only(candidates, f"image {name!r}")

    def find_number(self, number: int | str) -> str:
        """Returns the image id of the image that COCO results call `number`.

        Raises:
            DataError: the split has no such image, or several that fit equally well.
        """
        for own in (number, as_number(number)):
            if own in self._numbers:
                return self._numbers[own]
        if isinstance(number, str):
            return self.find(number)
        if self._numbers:  # several files may count from 1
            known = [each for each in self._paths if each.rpartition("/")[2] == str(number)]
        else:
            known = self._by_number.get(number, [])
        return _only(known, f"image_id {number}")


def as_number(number: int | str) -> int | str:
    """Returns the whole number that a text is, or what is given."""
    if isinstance(number, str) and _WHOLE.fullmatch(number):
        return int(number)
    return number


def _only(candidates: list[str], name: str) -> str:
    if not candidates:
        raise DataError(f"{name} is not in the split", remedy=_NOT_THERE)
    if len(candidates) > 1:
        raise DataError(
            f"{name} could be {candidates[0]!r} or {candidates[1]!r}",
            remedy="list images with their folders",
        )
    return candidates[0]
