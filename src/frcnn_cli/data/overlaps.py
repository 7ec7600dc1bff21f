"""Images of one split that are in another too: the same file, or a file with the same bytes."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.errors import DataError, count

PAIRS = (("train", "val"), ("train", "test"), ("val", "test"), ("trainval", "test"))
"""Splits that should share no image. The last is looked at where `train` is missing."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """An image that is in two splits.

    Attributes:
        first: its path in one split.
        second: its path in the other.
        same_file: whether both paths lead to one file; else to two with the same bytes.
    """

    first: Path
    second: Path
    same_file: bool

    def __str__(self) -> str:
        if self.first == self.second:
            return str(self.first)
        how = "are one file" if self.same_file else "have the same bytes"
        return f"{self.first} and {self.second} {how}"


def overlaps_of(ours: Mapping[str, Path], theirs: Mapping[str, Path]) -> dict[str, Overlap]:
    """Returns the images of `theirs` that are among `ours` too, by their ids.

    Only files of one size are read, so that it takes a call of the system per image and little
    more. A file that cannot be read is like no other.

    Args:
        ours: the image of each id.
        theirs: the image of each id.
    """
    files: dict[tuple[int, int], Path] = {}
    sizes: dict[int, list[Path]] = defaultdict(list)
    for path in ours.values():
        if status := _status(path):
            files.setdefault((status.st_dev, status.st_ino), path)
            sizes[status.st_size].append(path)
    hashes: dict[Path, str] = {}
    found: dict[str, Overlap] = {}
    for image_id, path in theirs.items():
        status = _status(path)
        if status is None:
            continue
        same = files.get((status.st_dev, status.st_ino))
        if same is not None:
            found[image_id] = Overlap(same, path, same_file=True)
        elif candidates := sizes.get(status.st_size):
            digest = _hash(path, hashes)
            twin = next((each for each in candidates if digest == _hash(each, hashes)), None)
            if twin is not None and digest:
                found[image_id] = Overlap(twin, path, same_file=False)
    return found


def overlapping_splits(
    splits: Mapping[str, Sequence[str]], paths: Mapping[str, Path]
) -> tuple[str, ...]:
    """Returns, in words, which splits share images that should share none.

    Args:
        splits: the ids of each split.
        paths: the images, by id; those that are missing are not looked at.
    """
    lines = []
    for one, other in PAIRS:
        if one == "trainval" and "train" in splits:
            continue
        ours, theirs = (
            {image_id: paths[image_id] for image_id in splits.get(name, ()) if image_id in paths}
            for name in (one, other)
        )
        found = overlaps_of(ours, theirs)
        if found:
            number = count(len(found), "image")
            lines.append(f"{one} and {other} share {number}, such as {next(iter(found.values()))}")
    return tuple(lines)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _hash(path: Path, known: dict[Path, str]) -> str:
    if path not in known:
        try:
            known[path] = content_hash(path)
        except DataError:
            known[path] = ""
    return known[path]
