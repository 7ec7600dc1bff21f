"""The writing of every format: an image at a time, and whole or not at all.

A block that is left by an exception leaves what was there before. One that is interrupted and wants
to keep its work catches the exception inside and leaves in the ordinary way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path, PurePath
from types import TracebackType
from typing import Protocol, Self, TextIO

from frcnn_cli.errors import DataError
from frcnn_cli.files import atomic_file, atomic_folder, writing
from frcnn_cli.records import DetectedImage


class Writer(Protocol):
    """Writes detections as they come; they appear when the block is left.

    Example:
        with open_writer("coco", Path("boxes.json"), classes=…) as writer:
            for image in images:
                writer.write(image)
    """

    def __enter__(self) -> Self:
        """Opens the target.

        Raises:
            DataError: it cannot be written.
        """

    def write(self, image: DetectedImage) -> None:
        """Appends one image.

        Raises:
            DataError: the target cannot be written, or the format cannot hold the image.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finishes the target, or after an exception drops what was written.

        Raises:
            DataError: the target cannot be written.
        """


class FileWriter:
    """A format that is one text file; a subclass defines its content.

    Args:
        target: a file, whose folder is made if need be, or a text stream, which stays open.
    """

    def __init__(self, target: Path | TextIO) -> None:
        self._target = target.resolve() if isinstance(target, Path) else target
        self._open_file = ExitStack()

    def header(self) -> str:
        """Returns the text before the first image."""
        return ""

    def entry(self, image: DetectedImage) -> str:
        """Returns the text of an image."""
        raise NotImplementedError

    def footer(self) -> str:
        """Returns the text after the last image."""
        return ""

    def __enter__(self) -> Self:
        self._stream = self._open()
        with ExitStack() as on_failure:
            on_failure.push(self._open_file)
            self._put(self.header())
            on_failure.pop_all()
        return self

    def write(self, image: DetectedImage) -> None:
        """Appends one image."""
        self._put(self.entry(image))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.translate_os_errors():
            if error is not None:
                self._open_file.__exit__(kind, error, trace)
                return
            with self._open_file:
                self._put(self.footer())
                self._stream.flush()

    @contextmanager
    def translate_os_errors(self) -> Iterator[None]:
        """Turns a file system error in the block into one line for people."""
        target = self._target if isinstance(self._target, Path) else "standard output"
        with writing(target, DataError):
            yield

    def _open(self) -> TextIO:
        if not isinstance(self._target, Path):
            return self._target
        path = self._target
        with self.translate_os_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Anything but a file, such as /dev/null or a named pipe, is written straight.
            is_file = not path.exists() or path.is_file()
            opened = atomic_file(path, durable=False) if is_file else path.open("wb")
            stream = self._open_file.enter_context(opened)
            text = TextIOWrapper(stream, encoding="utf-8", newline="\n", write_through=True)
            self._open_file.callback(_detach, text)
            return text

    def _put(self, text: str) -> None:
        with self.translate_os_errors():
            self._stream.write(text)


def _detach(text: TextIOWrapper) -> None:
    with suppress(OSError):  # told already: the block flushes before it ends
        text.detach()


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


class FolderWriter:
    """A format that is a folder of text files; a subclass fills `self.folder`.

    Photographs are named by their file names without the ending, so two of one name cannot both be
    written.

    Args:
        target: a folder that does not exist yet, or is empty; its parents are made if need be.
    """

    def __init__(self, target: Path) -> None:
        self._target = target.resolve()
        self._making = ExitStack()
        self._files: dict[str, str] = {}

    def begin(self) -> None:
        """Opens what is written to for every image."""

    def end(self) -> None:
        """Closes it, also after an exception."""

    def __enter__(self) -> Self:
        with self.translate_os_errors():
            require_new_folder(self._target)
            self.folder = self._making.enter_context(atomic_folder(self._target))
            with ExitStack() as on_failure:
                on_failure.push(self._making)
                self.begin()
                on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self.translate_os_errors():
            if error is None:
                with self._making:
                    self.end()
                return
            try:
                self.end()
            finally:
                self._making.__exit__(kind, error, trace)

    def name_of(self, image: DetectedImage) -> str:
        """Returns the name of an image, which no other one had.

        Raises:
            DataError: another one had it.
        """
        name = PurePath(image.file).stem
        if name in self._files:
            raise DataError(
                f"would be written as {name!r}, as {self._files[name]} was",
                remedy="give each image its own name, or choose the format frcnn",
                file=image.file,
            )
        self._files[name] = image.file
        return name

    @contextmanager
    def translate_os_errors(self) -> Iterator[None]:
        """Turns a file system error in the block into one line for people."""
        remedy = "name a folder in one that you can write to"
        with writing(self._target, DataError, remedy=remedy):
            yield
