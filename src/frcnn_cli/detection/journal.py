"""What was detected so far, a line a photograph beside the output, for a command that is stopped.

A line is written as soon as a photograph is done, so that not even `kill -9` loses more than the
one in work. The last line may be cut off: it then does not count, and nor does one whose photograph
has changed since.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from frcnn_cli.errors import ConfigError, DataError
from frcnn_cli.records import DetectedImage

SCHEMA = "frcnn.journal/1"
_LOGGER = logging.getLogger(__name__)


class Journal:
    """The photographs that are done, in the hidden file `.NAME.part` beside `out`.

    Example:
        with Journal(out, settings, classes, resume=True) as journal:
            for path in paths:
                image = journal.read(str(path)) or detect(path)
                journal.add(image)
            journal.discard()  # all is done; left otherwise, the file stays

    Args:
        out: the file that is being made.
        settings: all that the detections follow from, as JSON values.
        classes: names of the labels 1..K.
        resume: go on from what is there, else start afresh.

    Raises:
        ConfigError: the file was begun with other settings.
        DataError: it cannot be read or written.
    """

    def __init__(
        self, out: Path, settings: Mapping[str, Any], classes: Sequence[str], *, resume: bool
    ) -> None:
        self._out = out
        self._path = out.with_name(f".{out.name}.part")
        self._aside = out.with_name(f".{out.name}.part.old")
        self._head = json.dumps({"schema": SCHEMA, "settings": settings}, sort_keys=True)
        self._classes = tuple(classes)
        self._resume = resume
        self._places: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            there = self._resume and self._path.is_file()
            if not self._resume:
                self._set_aside()
            self._stream: IO[bytes] = self._path.open("r+b" if there else "w+b")
        except OSError as error:
            raise self._failure(error) from error
        try:
            if there:
                self._find_places()
            else:
                self._append(self._head)
        except OSError as error:
            self._stream.close()
            raise self._failure(error) from error
        except ConfigError:
            self._stream.close()
            raise
        if self._resume and not self._places:
            _LOGGER.warning("there is nothing to resume for %s; it starts afresh", self._out)
        return self

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, file: str) -> bool:
        return file in self._places

    def read(self, file: str) -> DetectedImage:
        """Returns what was found in a photograph that is done."""
        self._stream.seek(self._places[file])
        return DetectedImage.from_json(json.loads(self._stream.readline()))

    def add(self, image: DetectedImage) -> None:
        """Notes a photograph as done.

        Raises:
            DataError: the file cannot be written.
        """
        try:
            entry = {"state": _state(image.file), **image.to_json(self._classes)}
            self._places[image.file] = self._append(json.dumps(entry))
        except OSError as error:
            raise self._failure(error) from error

    def discard(self) -> None:
        """Removes the file: everything is done."""
        self._stream.close()
        for path in (self._path, self._aside):
            with suppress(OSError):
                path.unlink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()

    def _set_aside(self) -> None:
        """Keeps what a run left that was stopped and is not resumed, until this one is done."""
        if _lines(self._path) > max(1, _lines(self._aside)):
            self._path.replace(self._aside)
            _LOGGER.warning(
                "what a stopped run had detected for %s is not used; to go on with it, stop, "
                "rename %s to %s and give --resume",
                self._out,
                self._aside.name,
                self._path.name,
            )

    def _append(self, line: str) -> int:
        """Returns where in the file the line starts."""
        place = self._stream.seek(0, 2)
        self._stream.write(line.encode() + b"\n")
        self._stream.flush()
        return place

    def _find_places(self) -> None:
        head = self._stream.readline()
        if head.rstrip(b"\n") != self._head.encode():
            raise ConfigError(
                "was begun with another detector or other settings",
                remedy="give the same as then, or leave out --resume to start afresh",
                file=self._path,
            )
        end = len(head)
        for line in iter(self._stream.readline, b""):
            if not line.endswith(b"\n"):
                break
            try:
                entry = json.loads(line)
                file, state = entry["file"], entry["state"]
            except (ValueError, KeyError, TypeError):
                break
            if state == _state(file):
                self._places[file] = end
            end += len(line)
        self._stream.truncate(end)

    def _failure(self, error: OSError) -> DataError:
        return DataError(
            f"cannot be written ({error.strerror})",
            remedy="name a file in a folder that you can write to with --out",
            file=self._out,
        )


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def _state(file: str) -> list[int]:
    """Returns size and time of change of a photograph; nothing where it is not there."""
    try:
        status = Path(file).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
