"""Files and folders that appear whole, and what killed processes leave of them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frcnn_cli.detection.formats.registry import open_writer
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.files import atomic_file, atomic_folder
from frcnn_cli.records import DetectedImage, Detections

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks there")

WRITE = """
import sys
from pathlib import Path
from frcnn_cli.files import atomic_file, atomic_folder
from frcnn_cli.detection.formats.writer import WriterContext

path = Path(sys.argv[2])
if sys.argv[1] == "file":
    with atomic_file(path) as stream:
        stream.write(b"theirs, and longer than ours")
        stream.flush()
        print("writing", flush=True)
        sys.stdin.readline()
else:
    with atomic_folder(path) as folder:
        (folder / "theirs").write_text("theirs")
        print("writing", flush=True)
        sys.stdin.readline()
"""


@contextmanager
def writer(kind: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Yields a process in the middle of writing `path`, which goes on at a line on its stdin."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITE, kind, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        yield process
        process.kill()


def write(kind: str, path: Path) -> None:
    if kind == "file":
        with atomic_file(path) as stream:
            stream.write(b"ours")
    else:
        with atomic_folder(path) as folder:
            (folder / "ours").write_text("ours")


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_the_next_writer_removes_what_killed_ones_left(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.json"
    with writer(kind, path) as one, writer(kind, path) as two:
        assert len(hidden(tmp_path)) == 2
        one.kill()
        two.kill()
        one.wait(), two.wait()
    assert len(hidden(tmp_path)) == 2
    write(kind, path)
    assert [each.name for each in tmp_path.iterdir()] == ["e.json"]
    if kind == "file":
        assert path.read_bytes() == b"ours"
    else:
        assert [each.name for each in path.iterdir()] == ["ours"]


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_living_writer_is_not_disturbed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "e.json"
    with writer(kind, path) as other:
        if kind == "file":
            write(kind, path)
            assert path.read_bytes() == b"ours"
        else:
            write(kind, tmp_path / "f.json")
        assert len(hidden(tmp_path)) == 1
        other.communicate("go on\n")
        assert other.returncode == 0
    assert hidden(tmp_path) == []
    if kind == "file":
        assert path.read_bytes() == b"theirs, and longer than ours"
    else:
        assert [each.name for each in path.iterdir()] == ["theirs"]


def test_a_link_under_a_temporary_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    (tmp_path / ".e.json.0.tmp").symlink_to("precious")
    write("file", tmp_path / "e.json")
    assert (tmp_path / "precious").read_text() == "mine"
    assert (tmp_path / "e.json").read_bytes() == b"ours"


def test_a_failure_leaves_nothing_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "e.json"
    path.write_text("before")
    with pytest.raises(RuntimeError), atomic_file(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before"
    assert hidden(tmp_path) == []


def test_a_file_is_as_readable_as_any_new_one(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write("file", tmp_path / "e.json")
    assert (tmp_path / "e.json").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["frcnn", "coco", "yolo", "voc"])
def test_a_killed_command_leaves_nothing_of_its_output(tmp_path: Path, name: str) -> None:
    """The writers of every kind of output; the process is a copy of this one."""
    target = tmp_path / ("out.json" if name in {"frcnn", "coco"} else "out")
    image = DetectedImage("a.jpg", 4, 3, 0, Detections.empty())

    def detect(dies: bool) -> None:
        with open_writer(name, target, WriterContext(("dog",), "a", "b")) as one:
            one.write(image)
            if dies:
                os.kill(os.getpid(), 9)

    child = os.fork()
    if not child:
        detect(dies=True)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    assert len(hidden(tmp_path)) == 1
    detect(dies=False)
    assert [each.name for each in tmp_path.iterdir()] == [target.name]
