"""The cache folder: whole files or none, checked when they are read.

An entry lies in `<root>/<kind>/<first two letters of its key>/<key>`. It is its payload, a JSON
object about it (or nothing), and a last line:

    # frcnn.cache/2 <length of the JSON, 8 hex digits> <SHA-256 of all before>

Every later format ends in the same way, with its own number and a checksum of all that stands
before it, so that an entry of a later version is recognised, and neither used nor overwritten.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CacheError
from frcnn_cli.files import atomic_file, reading, writing

ValueT = TypeVar("ValueT")
_LOGGER = logging.getLogger(__name__)
_FORMAT = 2
_SUM_LENGTH = 64 + 1
_FOOTER = re.compile(rb"\n# frcnn\.cache/(?P<format>[0-9]{1,6}) (?P<rest>[^\n]*)\Z")
_LONGEST_FOOTER = 256
_SECONDS_BETWEEN_NOTES = 86_400.0
"""An entry's modification time is the day on which it was last used."""
_FULL = {errno.ENOSPC, errno.EDQUOT}
_MAKE_ROOM = "make room, such as with frcnn cache gc, or choose another --cache-dir"
_CHOOSE_ANOTHER = "choose a writable folder with --cache-dir or FRCNN_CACHE_DIR"


class DamagedError(Exception):
    """An entry that is not what was written."""


@dataclass(frozen=True)
class Cache:
    """The cache folder `root`, which is made at the first write."""

    root: Path

    def path(self, kind: str, key: str) -> Path:
        """Returns where the entry `key` of `kind` lies, whether it is there or not."""
        return self.root / kind / key[:2] / key

    def load(self, kind: str, key: str, decode: Callable[[bytes], ValueT | None]) -> ValueT | None:
        """Returns what `decode` makes of an entry's payload.

        None if the entry is missing or, with a warning, damaged or undecodable (`decode` returns
        None).

        Args:
            kind: the folder of the cache, such as "proposals".
            key: hex digits.
            decode: makes a value of a payload, or None if it holds something else.

        Raises:
            CacheError: the entry may not be read, or is of a later version.
        """
        path = self.path(kind, key)
        try:
            payload = read_entry(path)
        except FileNotFoundError:
            return None
        except DamagedError:
            _LOGGER.warning("%s is damaged; it is computed again", path)
            return None
        _note_use(path)
        value = decode(payload)
        if value is None:
            _LOGGER.warning("%s does not hold %s; it is computed again", path, kind)
        return value

    def write(
        self,
        kind: str,
        key: str,
        payload: bytes,
        *,
        about: Mapping[str, Any] | None = None,
        durable: bool = True,
    ) -> None:
        """Writes an entry, all of it or none of it.

        Args:
            kind: the folder of the cache, such as "proposals".
            key: hex digits.
            payload: the bytes to keep.
            about: JSON values for the maintenance of the cache, such as how the entry was computed.
            durable: see `atomic_file`.

        Raises:
            CacheError: the folder is read-only, full, or not a folder, or has the entry in a later
                version.
        """
        path = self.path(kind, key)
        with translate_os_errors(path):
            self._make_root()
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError, DamagedError):
                read_entry(path)
            note = json.dumps(about, sort_keys=True, allow_nan=False).encode() if about else b""
            footer = f"\n# frcnn.cache/{_FORMAT} {len(note):08x} ".encode()
            checksum = hashlib.sha256()
            with atomic_file(path, durable=durable) as stream:
                for part in (payload, note, footer):
                    checksum.update(part)
                    stream.write(part)
                stream.write(checksum.hexdigest().encode() + b"\n")

    def require_writable(self) -> None:
        """Tries a write, to fail before the work whose result could not be kept.

        Raises:
            CacheError: the folder is read-only, full, or not a folder.
        """
        with translate_os_errors(self.root):
            self._make_root()
            with tempfile.TemporaryFile(dir=self.root) as stream:
                stream.write(b"x" * 4096)

    def _make_root(self) -> None:
        if not self.root.is_dir():
            self.root.mkdir(parents=True, exist_ok=True)
            # A cache in the middle of somebody's repository should not end up in a commit.
            with atomic_file(self.root / ".gitignore", durable=False) as stream:
                stream.write(b"*\n")


def read_entry(path: Path) -> bytes:
    """Returns the payload of an entry's file.

    Raises:
        FileNotFoundError: there is none.
        DamagedError: it is not as it was written.
        CacheError: it may not be read, or is of a later version.
    """
    remedy = "repair its permissions or choose another folder with --cache-dir"
    content = None
    with reading(path, CacheError, remedy=remedy), suppress(FileNotFoundError, NotADirectoryError):
        content = path.read_bytes()
    if content is None:
        raise FileNotFoundError(path)
    body, checksum = content[:-_SUM_LENGTH], content[-_SUM_LENGTH:]
    footer = _FOOTER.search(body, max(len(body) - _LONGEST_FOOTER, 0))
    if footer is None or checksum != hashlib.sha256(body).hexdigest().encode() + b"\n":
        raise DamagedError
    if int(footer["format"]) != _FORMAT:
        raise CacheError(
            f"was written by a later frcnn (cache format {int(footer['format'])}, this one knows "
            f"{_FORMAT})",
            remedy="upgrade frcnn, or choose another folder with --cache-dir",
            file=path,
        )
    end = footer.start()
    try:
        start = end - int(footer["rest"], 16)
        decode_json(body[max(start, 0) : end] or b"{}", dict[str, Any])
    except ValueError as error:  # whoever wrote it knew how to make a checksum
        raise DamagedError from error
    return body[:start]


def read_about(path: Path) -> Mapping[str, Any]:
    """Returns the JSON object about an entry, read from its end and unchecked; {} without one."""
    with suppress(OSError, ValueError), path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - _LONGEST_FOOTER, 0))
        footer = _FOOTER.search(stream.read()[:-_SUM_LENGTH])
        if footer is not None and int(footer["format"]) == _FORMAT:
            length = int(footer["rest"], 16)
            start = size - _SUM_LENGTH - len(footer[0]) - length
            stream.seek(max(start, 0))
            return decode_json(stream.read(length) or b"{}", dict[str, Any])
    return {}


def _note_use(path: Path) -> None:
    with suppress(OSError):  # a read-only cache does not record its use
        if time.time() - path.stat().st_mtime > _SECONDS_BETWEEN_NOTES:
            os.utime(path)


def write_text(path: Path, text: str) -> None:
    """Writes a file of the cache as UTF-8, all of it or none of it.

    Raises:
        CacheError: the folder is read-only or full.
    """
    with translate_os_errors(path), atomic_file(path) as stream:
        stream.write(text.encode())


@contextmanager
def translate_os_errors(path: Path) -> Iterator[None]:
    """Turns an `OSError` of a write to `path` into a `CacheError` with a remedy."""
    try:
        yield
    except OSError as error:
        remedy = _MAKE_ROOM if error.errno in _FULL else _CHOOSE_ANOTHER
        with writing(path, CacheError, remedy=remedy):
            raise
