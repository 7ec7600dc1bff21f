"""Training where there is little, and where the working directory holds modules of the same names.

One read-only file system but for a folder, 1 MB of shared memory (a container has 64), a user
without name and home, 64 open files, one thread.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.datasets import year

if sys.platform != "win32":
    import resource

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="no limits there"),
]

NOBODY = 12345
READS_ALL = "+dac_read_search"
AS_NOBODY = (
    "mount -t tmpfs -o size=1m tmpfs /dev/shm && "
    'mount --bind "$0" "$0" && mount -o remount,bind,ro / && exec setpriv '
    f"--reuid={NOBODY} --regid={NOBODY} --clear-groups "
    f'--bounding-set=-all,{READS_ALL} --inh-caps={READS_ALL} --ambient-caps={READS_ALL} "$@"'
)
"""For sh: the file system is read-only but for the folder $0, and the user may read all of it."""


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def confinement(writable: Path) -> tuple[str, ...]:
    """Returns the command in front of the confined one; none without the right to mount."""
    words = ("unshare", "--mount", "sh", "-c", AS_NOBODY, str(writable))
    try:
        done = subprocess.run([*words, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return ()
    return () if done.returncode else words


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that others may read, which pytest's are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_training_with_a_writable_cache_alone(folder: Path) -> None:
    ids = [f"{i:06}" for i in range(4)]
    year(folder / "voc", ids, {"train": ids[:2], "val": ids[2:3], "test": ids[3:]})
    writable = folder / "writable"
    writable.mkdir()
    (folder / "o.toml").write_text('[proposals]\nengine = "opencv"\n')
    for name in ("numpy", "torch", "cv2"):
        (folder / f"{name}.py").write_text("raise SystemExit('of this folder')")
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HOME"},
        **{"TMPDIR": str(writable), "FRCNN_CACHE_DIR": str(writable / "cache")},
        "OMP_NUM_THREADS": "1",
    }
    before = sorted(folder.rglob("*"))
    prefix = confinement(writable)
    if prefix:
        os.chown(writable, NOBODY, NOBODY)
    words = ("--split", "train", "--gpus", "0", "--processes", "2", "--iterations", "1")
    done = subprocess.run(
        [
            *(*prefix, Path(sys.executable).with_name("frcnn"), "train", "voc"),
            *("--config", "o.toml", *words, "--batch", "2"),
        ],
        cwd=folder,
        env=environment,
        preexec_fn=few_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    after = [path for path in folder.rglob("*") if not path.is_relative_to(writable)]
    assert sorted([*after, writable]) == before
    assert list((writable / "cache" / "runs").glob("*/best.safetensors"))
