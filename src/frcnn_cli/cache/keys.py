"""Names of cache entries: each is a hash of everything that the entry was made from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from frcnn_cli.cache import records
from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import CacheError
from frcnn_cli.files import reading, require_no_pipe

HASHES = "hashes"
_SETTLED_SECONDS = 2.0
"""A file changed this recently may change again within one tick of the file system's clock."""


def key_of(**parts: Any) -> str:
    """Returns the key (64 hex digits) of `parts`, which are JSON values in any order."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def content_hash(path: Path) -> str:
    """Returns the SHA-256 (64 hex digits) of a file's bytes.

    Raises:
        DataError: the file cannot be read.
    """
    with reading(path):
        require_no_pipe(path)
    with reading(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cached_content_hash(cache: Cache, path: Path) -> str:
    """Returns `content_hash(path)`, from a note in the cache if the file has not changed since.

    Unchanged means the same size, modification time and inode change time: the last also notices a
    file that was replaced under its old modification time.

    Raises:
        DataError: the file cannot be read.
    """
    with reading(path):
        status = path.stat()
    key = key_of(path=os.fsencode(path.absolute()).hex())
    seen = {
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "changed_ns": status.st_ctime_ns,
    }
    note = records.load(cache, HASHES, key)
    if note is not None and note == {**seen, "sha256": note.get("sha256")}:
        return str(note["sha256"])
    digest = content_hash(path)
    if time.time() - status.st_mtime > _SETTLED_SECONDS:
        with suppress(CacheError):  # a read-only cache still serves what it holds
            # Losing a note to a power cut costs one more reading of the file, so it is not synced.
            records.save(cache, HASHES, key, {**seen, "sha256": digest}, durable=False)
    return digest
