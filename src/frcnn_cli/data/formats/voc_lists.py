"""The lists in `ImageSets/Main`: the splits of VOC data."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from frcnn_cli.data.formats.layout import Splits, files_ending, is_image_name, split_called
from frcnn_cli.data.formats.voc_folder import VocFolder
from frcnn_cli.errors import DataError
from frcnn_cli.files import text_lines

_OF_ONE_CLASS = re.compile(r"\s(-1|0|1)$")
"""How the lines end in the devkit's lists of one class, such as "dog_train.txt"."""

_NUMBERED = re.compile(r"(\S+)(?:\s+[0-9]+){2,}$")
"""A line of Oxford-Pets: an id, its class, species and breed."""


def read_lists(root: Path, annotated: VocFolder) -> tuple[Splits, list[DataError]]:
    """Returns the splits of a year folder by its lists, and what is not used of them.

    Lists are in `ImageSets/Main`. Others that are called as splits, such as `trainval.txt` in the
    `annotations` of Oxford-Pets, are used where there are none.

    A list of which nothing is annotated, such as the test list of VOC2012, is noted and not used.
    Lists of one class are not splits.

    Raises:
        DataError: a list cannot be read, or has paths out of the data set.
    """
    splits: Splits = {}
    notes = []
    for path in _lists(root, annotated):
        lines = [line for _, line in text_lines(path)]
        if _is_of_one_class(path, lines, annotated):
            continue
        try:
            members = tuple(dict.fromkeys(_member(path, line, annotated) for line in lines))
        except DataError as error:
            if path.parent.name == "Main":
                raise
            notes.append(error)  # a list for another tool
            continue
        if annotated.xml.keys().isdisjoint(members):
            notes.append(_unused(path, members, annotated))
        else:
            name = split_called(path.stem) or path.stem
            splits[name] = tuple(dict.fromkeys(splits.get(name, ()) + members))
    return splits, notes


def _lists(root: Path, annotated: VocFolder) -> list[Path]:
    home = annotated.annotations
    main = root / "ImageSets" / "Main"
    for folder in (main, main.parent, home, *([home.parent] if home != root else ()), root):
        lists = files_ending(folder, ".txt") if folder.is_dir() else []
        if lists := [path for path in lists if folder == main or split_called(path.stem)]:
            return lists
    return []


def _is_of_one_class(path: Path, lines: list[str], annotated: VocFolder) -> bool:
    """Returns whether all lines are an id and a number: "photo 1" may be an id itself."""
    return (
        bool(lines)
        and all(map(_OF_ONE_CLASS.search, lines))
        and not any(line in annotated.xml for line in lines)
        and (
            "_" in path.stem
            or any(_OF_ONE_CLASS.sub("", line).strip() in annotated.xml for line in lines)
        )
    )


def _member(path: Path, line: str, annotated: VocFolder) -> str:
    """Returns the id that a line names, which may have an ending or folders."""
    if line in annotated.xml:
        return line
    name = line.replace("\\", "/")
    if (numbered := _NUMBERED.match(name)) and numbered[1] in annotated.xml:
        return numbered[1]
    if is_image_name(first := name.partition(" ")[0]):
        name = first  # lists of other tools have the XML or boxes behind it
    if is_image_name(name):
        name = name.rpartition(".")[0]
    if name in annotated.xml:
        return name
    if name in {".", ".."} or re.search(r"[/\x00]", name):
        last = PurePosixPath(name).name
        path_out = name.startswith("/") or ".." in PurePosixPath(name).parts
        if path_out or last not in annotated.xml:
            raise DataError(
                f"lists {line[:80]!r}, which is a path",
                remedy="list names without folders",
                file=path,
            )
        return last
    return name


def _unused(path: Path, members: tuple[str, ...], annotated: VocFolder) -> DataError:
    if not members:
        return DataError("is empty", remedy="it is not used", file=path)
    remedy = f"add its XML files to {annotated.annotations}; the list is not used"
    return DataError("lists no annotated image", remedy=remedy, file=path)
