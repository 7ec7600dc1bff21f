"""Files: atomic writes, and errors of the file system as one line for people."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from frcnn_cli.errors import ConfigError, DataError, FrcnnError

TEMPORARY_SUFFIX = ".tmp"


@contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes `path` when the block ends without an exception.

    Until then nobody sees it: it has a temporary name in the same folder, so that the rename never
    crosses file systems.

    Args:
        path: the file to write; its folder exists.
        durable: whether the bytes are on the disk before the rename, for what would be costly to
            make again after a power cut.

    Raises:
        OSError: the folder is missing, read-only or full.
    """
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def reading(
    file: Path, error: type[FrcnnError] = DataError, *, remedy: str = "check the file"
) -> Iterator[None]:
    """Raises `error`, "FILE: cannot be read (WHY); REMEDY", for an `OSError` in the block.

    Args:
        file: the file, named in the message.
        error: the class to raise.
        remedy: what the user can do.
    """
    try:
        yield
    except OSError as problem:
        raise error(
            f"cannot be read ({problem.strerror or problem})", remedy=remedy, file=file
        ) from problem


@contextmanager
def writing(
    file: Path | str,
    error: type[FrcnnError] = ConfigError,
    *,
    remedy: str = "name a file in a folder that you can write to",
) -> Iterator[None]:
    """Raises `error`, "FILE: cannot be written (WHY); REMEDY", for an `OSError` in the block.

    A `BrokenPipeError` passes: the reader of a pipe has seen enough.

    Args:
        file: the file, named in the message.
        error: the class to raise.
        remedy: what the user can do.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as problem:
        raise error(
            f"cannot be written ({problem.strerror or problem})", remedy=remedy, file=file
        ) from problem


def write_file(file: Path, content: str | bytes) -> None:
    """Writes a file, text as UTF-8, and, if needed, its folder.

    Raises:
        ConfigError: the file cannot be written.
    """
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as stream:
            stream.write(content.encode() if isinstance(content, str) else content)


def as_utf8(file: str) -> str:
    """Returns a file name, which may be any bytes, as UTF-8, other bytes escaped."""
    return file.encode("utf-8", "backslashreplace").decode()
