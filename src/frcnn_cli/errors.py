"""The exception tree: every error that a user can cause or fix.

FrcnnError
├── ConfigError        a setting that is unknown, out of range or contradicts another
├── DataError          a data set that is missing, empty or inconsistent
│   ├── ImageError     an image that cannot be read
│   └── AnnotationError  an annotation that cannot be trusted
├── ProposalError      a region search that failed
├── CheckpointError    weights that are missing, damaged or of another model
├── CacheError         a cache entry that cannot be written or trusted
├── DeviceError        a device that is not there, does not work or has no memory
└── TrainingError      a run that cannot go on (a loss that is not finite, …)

The command line prints `str(error)` as one line and exits with 1, so a message names the file, the
value and the remedy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

LONGEST_LINE = 2000
"""Longest error in characters; a value in a hostile file may have millions."""


MOST_NAMED = 20
"""Names that a message lists; of more, the number is given."""


def some_of(names: Iterable[str]) -> str:
    """Returns names as a list in words that is never longer than a message should be."""
    listed = list(names)
    more = len(listed) - MOST_NAMED
    return ", ".join(listed[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """Returns "1 image", "5,011 images", "2 boxes", "3 categories"."""
    if number != 1:
        ending = "ies" if noun.endswith("y") else "es" if noun.endswith(("s", "x")) else "s"
        noun = noun.removesuffix("y") + ending
    return f"{number:,} {noun}"


class FrcnnError(Exception):
    """An error of the user's or of the data's, in one line: `file: problem; remedy`.

    Pickle, which carries errors between processes, makes it of its line alone and then sets its
    attributes; a subclass that needs more arguments has a `__reduce__` of its own.

    Args:
        problem: what is wrong, with the offending value in it.
        remedy: what to do about it, as an instruction ("use --gpus 0").
        file: the file or folder that it is about.
    """

    def __init__(self, problem: str, *, remedy: str = "", file: Path | str | None = None) -> None:
        self.problem = _clipped(problem)
        self.remedy = remedy
        self.file = None if file is None else str(file)
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file else ""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return _one_line(f"{where}{self.problem}{remedy}")

    def at(self, file: Path | str | None, place: str = "") -> Self:
        """Returns the same error about `file`, behind a place in it such as "line 3: "."""
        return type(self)(f"{place}{self.problem}", remedy=self.remedy, file=file)


def _one_line(text: str) -> str:
    """Returns `text` as one line that does no harm to a terminal: values come from files."""
    return printable(_clipped(" ".join(text.split())))


def printable(text: str, *, keep: str = "") -> str:
    """Returns `text` with what a terminal would obey escaped, except for the characters to `keep`.

    Names of files and classes are chosen by others: they may hold control sequences, newlines, or
    marks that reverse the direction of writing.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def _clipped(text: str) -> str:
    if len(text) <= LONGEST_LINE:
        return text
    return f"{text[: LONGEST_LINE // 2]} … {text[-LONGEST_LINE // 2 :]}"


class ConfigError(FrcnnError):
    """A setting that is unknown, out of range or contradicts another."""


class DataError(FrcnnError):
    """A data set that is missing, empty or inconsistent.

    Attributes:
        others: what else is wrong with the same image; not in the line of this error.
    """

    others: tuple[DataError, ...] = ()


class ImageError(DataError):
    """An image that cannot be read."""


class AnnotationError(DataError):
    """An annotation that cannot be trusted."""


class ProposalError(FrcnnError):
    """A region search that failed."""


class CheckpointError(FrcnnError):
    """Weights that are missing, damaged or of another model."""


class CacheError(FrcnnError):
    """A cache entry that cannot be written or trusted."""


class DeviceError(FrcnnError):
    """A device that is not there."""


class TrainingError(FrcnnError):
    """A training run that cannot go on."""


@contextmanager
def importing(needs: str, *, remedy: str, error: type[FrcnnError] = ConfigError) -> Iterator[None]:
    """Raises `error`, "NEEDS, which cannot be imported (WHY); REMEDY", for an `ImportError`.

    Args:
        needs: what needs which package, such as "--scheduler needs Dask".
        remedy: how to install it.
        error: the class to raise.
    """
    try:
        yield
    except ImportError as problem:
        raise error(f"{needs}, which cannot be imported ({problem})", remedy=remedy) from problem
