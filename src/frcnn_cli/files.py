"""Files: atomic writes, and errors of the file system as one line for people."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from frcnn_cli.errors import ConfigError, DataError, FrcnnError

if sys.platform != "win32":
    import fcntl

TEMPORARY_SUFFIX = ".tmp"
_SLOTS = 8
"""Temporary names of a file; further processes that write it at once take random names."""


def nearest_folder(path: Path) -> Path:
    """Returns a path, or the nearest folder around it that exists."""
    whole = path.absolute()
    return next(each for each in (whole, *whole.parents) if each.exists())


def advice_on_missing(path: Path | str) -> str:
    """Returns what to do about a path that does not exist, which may be a URL."""
    is_url = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path))
    return "download it first: URLs are not read" if is_url else "check the path"


@contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Yields a binary file that becomes `path` when the block ends without an exception.

    Until then nobody sees it: it has a temporary name in the same folder, so that the rename never
    crosses file systems. What killed processes left of the same `path` is removed.

    Args:
        path: the file to write; its folder exists.
        durable: whether the bytes are on the disk before the rename, for what would be costly to
            make again after a power cut.

    Raises:
        OSError: the folder is missing, read-only or full.
    """
    with _claimed(path, _open_file) as (temporary, held):
        try:
            os.ftruncate(held, 0)  # what a killed process wrote
            with os.fdopen(held, "wb", closefd=False) as stream:
                yield stream
                stream.flush()
                if durable:
                    os.fsync(stream.fileno())
            if sys.platform == "win32":  # which renames no open file
                os.close(held)
            temporary.replace(path)
        except BaseException:
            if sys.platform == "win32":
                with suppress(OSError):
                    os.close(held)
            temporary.unlink(missing_ok=True)
            raise


def link_or_copy(source: Path, target: Path) -> None:
    """Makes `target` another name of the file `source`; a copy where there are no such links.

    Raises:
        OSError: the folder is read-only or full.
    """
    temporary = target.with_name(f".{target.name[:80]}.link{TEMPORARY_SUFFIX}")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:  # such as FAT's
        with atomic_file(target) as stream, source.open("rb") as content:
            shutil.copyfileobj(content, stream)
    else:
        temporary.replace(target)
        temporary.unlink(missing_ok=True)  # is left where both were links of one file already


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder that becomes `path` when the block ends without an exception.

    What killed processes left of the same `path` is removed.

    Args:
        path: the folder to make; it is missing or empty.

    Raises:
        OSError: the folder around it cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _claimed(path, _open_folder) as (temporary, _):
        try:
            _empty(temporary)
            yield temporary
            if path.exists():
                path.rmdir()
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


@contextmanager
def _claimed(path: Path, opened: Callable[[Path, bool], int]) -> Iterator[tuple[Path, int]]:
    """Yields a temporary name beside `path`, and it open and locked.

    Its writer holds a lock on it, which ends with the process however that ends: what is not
    locked has been left by a dead one.

    Args:
        path: what is to be made.
        opened: makes and opens a name; exclusively, or else whatever is there.
    """
    slots = [path.with_name(f".{path.name[:80]}.{i}{TEMPORARY_SUFFIX}") for i in range(_SLOTS)]
    temporary, held = next(_locked(slots, opened), (None, -1))
    if temporary is None:
        temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}")
        held = opened(temporary, True)
    try:
        for abandoned, found in _locked((each for each in slots if os.path.lexists(each)), _open):
            _remove(abandoned)
            os.close(found)
        yield temporary, held
    finally:
        with suppress(OSError):  # closed before its renaming, on Windows
            os.close(held)


def _locked(
    names: Iterable[Path], opened: Callable[[Path, bool], int]
) -> Iterator[tuple[Path, int]]:
    """Yields the names that no living process has locked, open and locked by this one."""
    if sys.platform == "win32":
        return
    for name in names:
        try:
            held = opened(name, False)
        except OSError:  # of another user, or something else
            continue
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its writer may have renamed it since it was opened.
            there, ours = name.lstat(), os.fstat(held)
            is_ours = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
        except OSError:  # of a living process, or on a file system without locks
            is_ours = False
        if is_ours:
            yield name, held
        else:
            os.close(held)


_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_BYTES = getattr(os, "O_BINARY", 0)


def _open(name: Path, _: bool) -> int:
    return os.open(name, os.O_RDONLY | _NO_LINKS)


def _open_file(name: Path, exclusively: bool) -> int:
    new = os.O_EXCL if exclusively else 0
    return os.open(name, os.O_RDWR | os.O_CREAT | _NO_LINKS | _BYTES | new, 0o666)


def _open_folder(name: Path, exclusively: bool) -> int:
    if exclusively or not name.is_dir():
        name.mkdir()
    return os.open(name, os.O_RDONLY | _NO_LINKS)


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        _remove(path)


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


def require_no_pipe(file: Path, error: type[FrcnnError] = DataError) -> None:
    """Refuses a pipe, a device or a socket: it can be read only once, and reading may never end.

    Raises:
        FrcnnError: `error`, if it is one.
    """
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise error("is a pipe or a device", remedy="name a file, or remove it", file=file)


def read_text(file: Path) -> str:
    """Returns a text file, UTF-8 with or without a mark in front.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    try:
        with reading(file):
            return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", remedy="save it as UTF-8", file=file) from error


def text_lines(file: Path) -> list[tuple[int, str]]:
    """Returns the lines of a text file that are not blank, stripped, with their numbers from 1.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    lines = enumerate(read_text(file).splitlines(), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


@contextmanager
def writing(
    file: Path | str,
    error: type[FrcnnError] = ConfigError,
    *,
    remedy: str = "name a file in a folder that you can write to",
    make_folder: bool = False,
) -> Iterator[None]:
    """Raises `error`, "FILE: cannot be written (WHY); REMEDY", for an `OSError` in the block.

    A `BrokenPipeError` passes: the reader of a pipe has seen enough.

    Args:
        file: the file, named in the message.
        error: the class to raise.
        remedy: what the user can do.
        make_folder: whether to make the folder that the file is to be in.
    """
    try:
        if make_folder:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
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
    with writing(file, make_folder=True), atomic_file(file) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)


def write_json(file: Path, value: object) -> None:
    """Writes a JSON document and, if needed, its folder.

    Raises:
        ConfigError: the file cannot be written.
    """
    write_file(file, json.dumps(value, indent=1, allow_nan=False) + "\n")


def as_utf8(file: str) -> str:
    """Returns a file name, which may be any bytes, as UTF-8, other bytes escaped."""
    return file.encode("utf-8", "backslashreplace").decode()
