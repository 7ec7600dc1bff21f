"""Commands in a mount namespace of their own, whose shared memory is as small as a container's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence

import pytest

_MOUNT = 'mount -t tmpfs -o size=1m tmpfs /dev/shm && exec "$@"'


def in_small_shm(command: Sequence[str]) -> list[str]:
    """Returns the command with 1 MB in /dev/shm; skips the test where that is not permitted."""
    wrapped = ["unshare", "--mount", "sh", "-c", _MOUNT, "sh"]
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    if subprocess.run([*wrapped, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    return [*wrapped, *command]
