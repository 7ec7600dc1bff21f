"""The cache folder: whole files or none, checked when they are read.

An entry is its payload and a footer with the payload's SHA-256. It lies in
`<root>/<kind>/<first two letters of its key>/<key>`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from frcnn_cli.errors import CacheError

_LOGGER = logging.getLogger(__name__)
_FOOTER = b"\n# sha256 "
_FOOTER_LENGTH = len(_FOOTER) + 64 + 1


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
    temporary = path.with_name(f".{path.name[:80]}.{secrets.token_hex(6)}.tmp")
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


@dataclass(frozen=True)
class Cache:
    """The cache folder `root`, which is made at the first write."""

    root: Path

    def path(self, kind: str, key: str) -> Path:
        """Returns where the entry `key` of `kind` lies, whether it is there or not."""
        return self.root / kind / key[:2] / key

    def read(self, kind: str, key: str) -> bytes | None:
        """Returns the payload of an entry; None if it is missing or, with a warning, damaged.

        Raises:
            CacheError: the entry is there and may not be read.
        """
        path = self.path(kind, key)
        try:
            entry = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CacheError(
                f"cannot be read ({error.strerror})",
                remedy="mend its permissions or choose another folder with --cache-dir",
                file=path,
            ) from error
        payload = entry[:-_FOOTER_LENGTH]
        if entry[-_FOOTER_LENGTH:] != _footer(payload):
            _LOGGER.warning("%s is damaged and is made again", path)
            return None
        return payload

    def write(self, kind: str, key: str, payload: bytes, *, durable: bool = True) -> None:
        """Writes an entry, all of it or none of it.

        Raises:
            CacheError: the folder is read-only, full, or not a folder.
        """
        path = self.path(kind, key)
        with self._told_as_cache_error(path):
            self._make_root()
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(path, durable=durable) as stream:
                stream.write(payload)
                stream.write(_footer(payload))

    def require_writable(self) -> None:
        """Tries a write, to fail before the work whose result could not be kept.

        Raises:
            CacheError: the folder is read-only, full, or not a folder.
        """
        with self._told_as_cache_error(self.root):
            self._make_root()
            with tempfile.TemporaryFile(dir=self.root) as stream:
                stream.write(b"x" * 4096)

    def _make_root(self) -> None:
        if not self.root.is_dir():
            self.root.mkdir(parents=True, exist_ok=True)
            # A cache in the middle of somebody's repository should not end up in a commit.
            (self.root / ".gitignore").write_text("*\n", encoding="utf-8")

    @contextmanager
    def _told_as_cache_error(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheError(
                f"cannot be written ({error.strerror})",
                remedy="choose a writable folder with --cache-dir or FRCNN_CACHE_DIR",
                file=path,
            ) from error


def _footer(payload: bytes) -> bytes:
    return _FOOTER + hashlib.sha256(payload).hexdigest().encode() + b"\n"
