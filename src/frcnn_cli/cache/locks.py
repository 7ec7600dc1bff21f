"""Locks on a whole cache and on the folders of runs, which keep what is in use; claims on entries.

The system releases them when their process ends, however it ends. Where there are no such locks
(Windows, some network file systems) every lock and claim is granted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl

_FILE = "in-use.lock"
_CLAIMS = "claims.lock"


class FolderLock:
    """A lock on a folder, until `release` or the end of this process."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, folder: Path) -> FolderLock | None:
        """Returns the lock on a folder that is there; None if another process holds it."""
        if sys.platform == "win32":  # folders cannot be locked there
            return cls(None)
        held = os.open(folder, os.O_RDONLY)
        if _flock(held, fcntl.LOCK_EX):
            return cls(held)
        os.close(held)
        return None

    def release(self) -> None:
        """Lets other processes have the folder."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def using(root: Path) -> AbstractContextManager[bool]:
    """Marks the cache folder `root` as in use by a command, if it is there and can be marked."""
    return _lock(root, shared=True)


def unused(root: Path) -> AbstractContextManager[bool]:
    """Yields whether no other command uses the cache folder `root`; one that starts then waits."""
    return _lock(root, shared=False)


@contextmanager
def _lock(root: Path, *, shared: bool) -> Iterator[bool]:
    if sys.platform == "win32" or not root.is_dir():
        yield True
        return
    try:
        held = os.open(root / _FILE, os.O_RDONLY | os.O_CREAT, 0o666)
    except OSError:  # read-only: nothing can be removed from it either
        yield True
        return
    try:
        yield _flock(held, fcntl.LOCK_SH, wait=True) if shared else _flock(held, fcntl.LOCK_EX)
    finally:
        os.close(held)


def _flock(descriptor: int, mode: int, *, wait: bool = False) -> bool:
    """Returns whether a lock was granted, or cannot be had on this file system."""
    try:
        fcntl.flock(descriptor, mode if wait else mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def claimed(root: Path, key: str, *, wait: bool) -> Iterator[bool]:
    """Yields whether `key` is claimed by this process; while it is, no other process can claim it.

    A claim keeps two processes from computing the same entry. It is a lock on one byte of a file. A
    process has one at a time: such locks belong to processes and end with any of their files.
    Where there are none, work may be done twice, and nothing worse.

    Args:
        root: the cache folder, which exists.
        key: hex digits.
        wait: whether to wait for the other process; then True is yielded.
    """
    if sys.platform == "win32":
        yield True
        return
    with (root / _CLAIMS).open("ab") as file:
        mode = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        try:
            fcntl.lockf(file, mode, 1, int(key[:15], 16))
        except (BlockingIOError, PermissionError):
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True
