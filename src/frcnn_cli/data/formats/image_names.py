"""Finds the file that an annotation means by the name of an image."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from functools import cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from frcnn_cli.data.formats.layout import bare_name, is_file, safe_join, split_called
from frcnn_cli.data.image_files import walk_images
from frcnn_cli.errors import DataError, count


class ImageFinder:
    """Finds images below a folder by the names that annotations give them.

    A name is a path in the folder, or else its last part there. Where neither is a file, letters
    of another case, `%20`, URLs and paths of other machines are tried: they mean the only image
    below the folder that has the same name, or of several the one whose folders agree most.

    Args:
        folder: no path leads out of it, but through symbolic links in it.
        split: the split that the annotations are of; what only resembles a name is not looked for
            in the folders of other splits. None looks everywhere.
    """

    def __init__(self, folder: Path, split: str | None = None) -> None:
        self.folder = folder
        self._split = split

    def find(self, name: str) -> Path | None:
        """Returns the image that an annotation calls `name`; None where no or several fit."""
        last = bare_name(name)
        for place in (safe_join(self.folder, name), _inside(self.folder, last)):
            if place is not None and is_file(place):
                return place
        return self._resembling(name)

    def _resembling(self, name: str) -> Path | None:
        text = unquote(urlsplit(name).path) if "://" in name else name
        for variant in dict.fromkeys((text, unquote(text), unquote(text.partition("?")[0]))):
            candidates = self._by_name.get(bare_name(variant).lower(), [])
            parts = _parts(variant)
            if len(candidates) > 1:
                exact = [path for path in candidates if path.name == bare_name(variant)]
                candidates = exact or candidates
                shared = [common_tail(parts, _parts(str(path))) for path in candidates]
                best = max(shared)
                candidates = [c for c, n in zip(candidates, shared, strict=True) if n == best]
            if len(candidates) == 1:
                return candidates[0]
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        below = defaultdict(list)
        for path in walk_images(self.folder):
            if not self._of_another_split(path):
                below[path.name.lower()].append(path)
        return dict(below)

    def _of_another_split(self, path: Path) -> bool:
        parents = path.relative_to(self.folder).parts[:-1]
        others = {split_called(part) for part in parents} - {None, self._split}
        return self._split is not None and bool(others)


def unused_files(
    root: Path, names: Iterable[str], used: Collection[str], kind: str, why: str
) -> list[DataError]:
    """Returns a note on the files below `root` that are not used, if there are any.

    Args:
        root: the folder of the data.
        names: the files in question, as paths in `root` with "/".
        used: those that are used; one that a link leads to is used too.
        kind: what they are, such as "image".
        why: the reason, such as "that no list names".
    """
    unused = [name for name in names if name not in used]
    if unused:  # links are looked at only where it matters
        files = {_identity(root / name) for name in used}
        unused = [name for name in unused if _identity(root / name) not in files]
    if not unused:
        return []
    problem = f"has {count(len(unused), kind)} {why}, such as {min(unused)[:200]!r}"
    return [DataError(problem, remedy=not_used(len(unused)), file=root)]


def not_used(number: int) -> str:
    """Returns what happens to files that are noted."""
    return "it is not used" if number == 1 else "they are not used"


def common_tail(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """Returns how many parts two paths share, counted from the end backwards."""
    count = 0
    for mine, other in zip(reversed(a), reversed(b), strict=False):
        if mine != other:
            break
        count += 1
    return count


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.lower() for part in PurePosixPath(name.replace("\\", "/")).parts)


def _inside(folder: Path, last: str) -> Path | None:
    return folder / last if last not in {"", ".", ".."} else None
