"""Writing files: all of a file or none of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from frcnn_cli.errors import ConfigError

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


def write_text(file: Path, text: str) -> None:
    """Writes a text file and, if needed, its folder.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(file) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            remedy="name a file in a folder that you can write to",
            file=file,
        ) from error


def as_utf8(file: str) -> str:
    """Returns a file's name, which may be any bytes, as UTF-8 can say it."""
    return file.encode("utf-8", "backslashreplace").decode()
