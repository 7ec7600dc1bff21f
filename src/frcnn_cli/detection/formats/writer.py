"""The writing of every format: an image at a time, and whole or not at all.

A block that is left by an exception leaves what was there before. One that is interrupted and wants
to keep its work catches the exception inside and leaves in the ordinary way.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from types import TracebackType
from typing import Self, TextIO

from frcnn_cli.errors import DataError
from frcnn_cli.files import atomic_file, atomic_folder, writing
from frcnn_cli.records import DetectedImage


@dataclass(frozen=True)
class WriterContext:
    """Content of a file besides the detections; each format takes what it has a place for."""

    classes: Sequence[str]
    """Names of the labels 1..K."""
    checkpoint: str = ""
    """Where the weights came from, as given to the reader (frcnn)."""
    backbone: str = ""
    """Name of the network (frcnn)."""
    annotations: bool = False
    """Whether a folder is a start for annotators, in the form of ground truth: VOC XML, YOLO
    without confidences; else it can be scored."""
    split: str = "test"
    """What was detected, as it stands in the names of VOC's files."""
    image_numbers: Mapping[str, int | str] = field(default_factory=dict)
    """The data set's own number of each image, by its file as given (coco)."""
    category_numbers: Sequence[int] = ()
    """The data set's own number of each label 1..K (coco); empty counts from 1."""


class DetectionWriter:
    """Writes detections as they come; they appear when the block is left.

    After an exception what was written is dropped. Every method raises a DataError where the target
    cannot be written.

    Example:
        with open_writer("coco", Path("boxes.json"), WriterContext(…)) as writer:
            for image in images:
                writer.write(image)

    Args:
        target: a file, a folder or, for a format that is one file, a text stream.
        context: what else is written.
    """

    remedy = "name a file in a folder that you can write to"
    """What to do where the target cannot be written."""
    words = ""
    """The format in words, where it is read too."""

    def __init__(self, target: Path | TextIO, context: WriterContext) -> None:
        self._target = target.resolve() if isinstance(target, Path) else target
        self.context = context

    def begin(self, stack: ExitStack) -> None:
        """Opens the target; `stack` closes what is put on it."""
        raise NotImplementedError

    def add(self, image: DetectedImage) -> None:
        """Writes one image."""
        raise NotImplementedError

    def end(self) -> None:
        """Writes what comes after the last image."""

    def _translate_os_errors(self) -> AbstractContextManager[None]:
        """Turns a file system error in the block into one line for people."""
        name = self._target if isinstance(self._target, Path) else "standard output"
        return writing(name, DataError, remedy=self.remedy)

    def write(self, image: DetectedImage) -> None:
        """Appends one image.

        Raises:
            DataError: the target cannot be written, or the format cannot hold the image.
        """
        with self._translate_os_errors():
            self.add(image)

    def __enter__(self) -> Self:
        with self._translate_os_errors(), ExitStack() as stack:
            self.begin(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._translate_os_errors():
            if error is not None:
                self._stack.__exit__(kind, error, trace)
                return
            with self._stack:
                self.end()


class FileWriter(DetectionWriter):
    """A format that is one text file; a subclass defines its content.

    The target is a file, whose folder is made if need be, or a text stream, which stays open.
    """

    def header(self) -> str:
        """Returns the text before the first image."""
        return ""

    def entry(self, image: DetectedImage) -> str:
        """Returns the text of an image."""
        raise NotImplementedError

    def footer(self) -> str:
        """Returns the text after the last image."""
        return ""

    def begin(self, stack: ExitStack) -> None:
        """Opens the file and writes its header."""
        if isinstance(self._target, Path):
            path = self._target
            path.parent.mkdir(parents=True, exist_ok=True)
            # What is not a file, such as /dev/null or a named pipe, is written straight.
            is_special = path.exists() and not path.is_file()
            opened = path.open("wb") if is_special else atomic_file(path, durable=False)
            text = io.TextIOWrapper(
                stack.enter_context(opened), "utf-8", newline="\n", write_through=True
            )
            stack.callback(_detach, text)
            self._stream: TextIO = text
        else:
            self._stream = self._target
        self._stream.write(self.header())

    def add(self, image: DetectedImage) -> None:
        """Writes one image."""
        self._stream.write(self.entry(image))

    def end(self) -> None:
        """Writes the footer."""
        self._stream.write(self.footer())
        self._stream.flush()


_BREAKING = {"Cc", "Cs", "Zl", "Zp"}
"""Unicode categories of what ends a line or is not text."""


def require_name(name: str, what: str) -> str:
    """Returns `name`, after checking that it can be written in a line of text.

    Args:
        name: of an image or a class.
        what: what is named, for the message.

    Raises:
        DataError: it has control characters, line separators or bytes that are not text.
    """
    if any(unicodedata.category(c) in _BREAKING for c in name):
        raise DataError(
            f"{what} has characters that this format cannot hold",
            remedy="rename it, or choose the format frcnn",
        )
    return name


class FolderWriter(DetectionWriter):
    """A format that is a folder of text files; a subclass fills `self.folder`.

    Images are named by their file names without the ending, so two of one name cannot both be
    written. The target is a folder that does not exist yet, or is empty; its parents are made if
    need be.

    Raises:
        DataError: the target is a stream.
    """

    remedy = "name a folder in one that you can write to"

    def __init__(self, target: Path | TextIO, context: WriterContext) -> None:
        super().__init__(target, context)
        if not isinstance(self._target, Path):
            problem = f"{self.words} are a folder of files, not a stream"
            raise DataError(problem, remedy="name a folder")
        self._folder = self._target
        self._files: dict[str, str] = {}

    def begin(self, stack: ExitStack) -> None:
        """Makes the folder."""
        require_new_folder(self._folder)
        self.folder = stack.enter_context(atomic_folder(self._folder))

    def save(self, name: str, text: str) -> None:
        """Writes a file of the folder."""
        (self.folder / name).write_text(text, encoding="utf-8", newline="\n")

    def name_of(self, image: DetectedImage) -> str:
        """Returns the name of an image, which no other one had.

        Raises:
            DataError: another one had it, or a line of text cannot hold it.
        """
        name = require_name(PurePath(image.file).stem, f"the name of {image.file!r}")
        if name in self._files:
            raise DataError(
                f"would be written as {name!r}, as {self._files[name]} was",
                remedy="give each image its own name, or choose the format frcnn",
                file=image.file,
            )
        self._files[name] = image.file
        return name


def require_new_folder(folder: Path) -> None:
    """Refuses a folder that holds something: nothing of the user's is written over or added to.

    Raises:
        DataError: it does, or is a file.
    """
    if folder.is_dir():
        if any(folder.iterdir()):
            raise DataError("holds files already", remedy="name a new folder", file=folder)
    elif folder.exists():
        raise DataError("is not a folder", remedy="name a new folder", file=folder)


def _detach(stream: io.TextIOWrapper) -> None:
    with suppress(OSError):  # reported already: the block flushes before it ends
        stream.detach()
