"""The images that COCO files list: which are there, and which are listed by several files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frcnn_cli.data.formats.coco import CocoFile
from frcnn_cli.data.formats.image_names import ImageFinder
from frcnn_cli.data.image_files import walk_names
from frcnn_cli.errors import DataError, count


def image_paths(
    root: Path, files: Sequence[CocoFile], finders: Sequence[ImageFinder]
) -> tuple[list[str], list[list[str]]]:
    """Returns the images below `root`, and those of each file in its order; "" is not there.

    Args:
        root: the folder of the data; what is in its `annotations` is not an image.
        files: what was read.
        finders: of the images of each file.
    """
    images = [name for name in walk_names(root) if not name.lower().startswith("annotations/")]
    there = frozenset(images)
    paths = []
    for file, finder in zip(files, finders, strict=True):
        folder = finder.folder.relative_to(root).as_posix()
        prefix = "" if folder == "." else f"{folder}/"
        own = []
        for name in file.names:
            if (usual := prefix + name) in there:
                own.append(usual)
            else:
                place = finder.find(name)
                own.append(place.relative_to(root).as_posix() if place else "")
        paths.append(own)
    return images, paths


def without_doubles(
    files: Sequence[CocoFile], titles: Sequence[str], paths: Sequence[Sequence[str]]
) -> list[CocoFile]:
    """Returns the files, refusing images that two of one split list: neither has all objects.

    Args:
        files: what was read.
        titles: the split of each.
        paths: the images of each.
    """
    if len({*titles}) == len(titles):
        return list(files)
    owners: dict[tuple[str, str], set[Path]] = defaultdict(set)
    for file, title, own in zip(files, titles, paths, strict=True):
        for path in own:
            owners[title, path].add(file.path)
    checked = []
    for file, title, own in zip(files, titles, paths, strict=True):
        bad = dict(file.bad)
        for place, path in enumerate(own):
            if path and (others := owners[title, path] - {file.path}):
                problem = f"image {path[:80]!r} is in {min(others)} too: merge the files"
                bad[place] = [*bad.get(place, ()), problem]
        checked.append(replace(file, bad=bad))
    return checked


def note_doubles(root: Path, paths: Sequence[Sequence[str]]) -> list[DataError]:
    """Returns a note on images that several files list."""
    counts = Counter(path for own in paths for path in own if path)
    doubles = [path for path, number in counts.items() if number > 1]
    if not doubles:
        return []
    problem = f"has {count(len(doubles), 'image')} that several JSON files list, such as"
    remedy = "merge the files, or choose one with --split"
    return [DataError(f"{problem} {doubles[0][:200]!r}", remedy=remedy, file=root)]
