"""Claim files that keep two processes from computing the same entry.

A claim is a lock on one byte of a file in the cache folder. The system releases it when its process
ends, however it ends, so none is ever left behind. Where there are no such locks (Windows, some
network file systems) every claim is granted: work may be done twice, and nothing worse.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from frcnn_cli.cache.store import Cache

if sys.platform != "win32":
    import fcntl

_FILE = "claims.lock"


@contextmanager
def claimed(cache: Cache, key: str, *, wait: bool) -> Iterator[bool]:
    """Yields whether `key` is claimed by this process; while it is, no other process can claim it.

    A process has one claim at a time: locks belong to processes and end with any of their files.

    Args:
        cache: the cache, whose folder exists.
        key: hex digits.
        wait: whether to wait for the other process; then True is yielded.
    """
    if sys.platform == "win32":
        yield True
        return
    with (cache.root / _FILE).open("ab") as file:
        mode = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.lockf(file, mode, 1, int(key[:15], 16))
        except (BlockingIOError, PermissionError):
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True
