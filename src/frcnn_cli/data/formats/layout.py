"""Names of folders and splits in data sets, and safe joining of paths."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from frcnn_cli.data.image_files import SUFFIXES
from frcnn_cli.errors import DataError

SPLIT_NAMES: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "trainval": "trainval",
    "test": "test",
    "testing": "test",
}
"""Names, in lower case, of folders and files that are splits, and which."""

Splits = dict[str, tuple[str, ...]]

Unused = Callable[[DataError], None]
"""Receives what looks like data, and why it is not used."""


def ignore(_: DataError) -> None:
    """Keeps no account of what is not used."""


def complete(splits: Mapping[str, tuple[str, ...]]) -> Splits:
    """Returns the splits in the usual order, with `trainval` as train and val where it is missing.

    An image that is in `test` too, as where `val` and `test` are one folder, does not join it.
    """
    known = dict(splits)
    if "trainval" not in known and "train" in known:
        train = dict.fromkeys(known["train"])
        rest = dict.fromkeys(known.get("val", ()))
        for image_id in known.get("test", ()):
            if image_id not in train:
                rest.pop(image_id, None)
        known["trainval"] = tuple(train | rest)
    order = ("train", "val", "trainval", "test")
    return {name: known[name] for name in order if name in known} | known


def training_split(splits: Mapping[str, Sequence[str]]) -> str:
    """Returns the split to train on by default: not `val` too where there is no `test` to score."""
    has_train, has_val = splits.get("train"), splits.get("val")
    return "train" if has_train and has_val and not splits.get("test") else "trainval"


def scored_split(splits: Mapping[str, Sequence[str]]) -> str:
    """Returns the split to score by default: `test`, or `val` where there is no `test`."""
    return "val" if splits.get("val") and not splits.get("test") else "test"


def known_splits(splits: Iterable[str]) -> bool:
    """Returns whether one of the splits is one that commands ask for by default."""
    return not frozenset(SPLIT_NAMES.values()).isdisjoint(splits)


def key_and_rest(image_id: str, keyed: Container[str]) -> tuple[str, str]:
    """Returns the part of an id up to its first "/", and the rest; where "" is a key, no part."""
    key, _, rest = image_id.partition("/")
    return ("", image_id) if "" in keyed else (key, rest)


def split_called(word: str) -> str | None:
    """Returns the split that a folder or file called `word` holds ("valid": "val"), or None."""
    return SPLIT_NAMES.get(word.lower())


def in_order_of_splits(names: Iterable[str]) -> list[str]:
    """Returns names such as "test2017" and "train" with train first, then val, trainval, test."""
    order = list(dict.fromkeys(SPLIT_NAMES.values()))

    def place(name: str) -> tuple[int, str]:
        split = split_called(re.sub(r"\d+$", "", name))
        return order.index(split) if split else len(order), name

    return sorted(names, key=place)


def folders(root: Path) -> list[Path]:
    """Returns the folders in `root`, sorted, without hidden ones."""
    return sorted(p for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))


def files_ending(folder: Path, ending: str) -> list[Path]:
    """Returns the files in `folder`, sorted, with an ending in any case; without hidden ones."""
    names = (path for path in folder.iterdir() if path.name.lower().endswith(ending))
    return sorted(path for path in names if path.is_file() and not path.name.startswith("."))


def is_image_name(name: str) -> bool:
    """Returns whether a file is called like an image."""
    return name.lower().endswith(SUFFIXES)


def is_file(path: Path) -> bool:
    """Returns whether there is such a file; a name that no file can have is just False."""
    return os.path.isfile(path)  # noqa: PTH113  (Path.is_file raises on zero bytes and long names)


def bare_name(name: str) -> str:
    """Returns the last part of `name`, which may be a path of this or of another system."""
    name = name.strip()
    if name == "." or not frozenset("/\\:").isdisjoint(name):
        name = PureWindowsPath(PurePosixPath(name).name).name
    return name


def safe_join(folder: Path, name: str) -> Path | None:
    """Returns the path `name` in `folder`, or None where it would lead out of it.

    Names come from files that others wrote, so absolute ones and those with ".." are not followed.
    Symbolic links are: whoever made the folder put them there.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return None
    return folder / path
