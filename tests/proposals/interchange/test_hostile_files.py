"""Files of proposals that crash their reader, or ask for all time or memory: one line each."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange import Limits, read_proposals
from support.commands import frcnn

MEGABYTE = 1 << 20
NARROW = Limits(256 * MEGABYTE, 0, 4, 0)
"""Less than the limits of commands, so that a test is over soon."""


def problem(path: Path, limits: Limits = NARROW) -> str:
    with pytest.raises(DataError) as caught:
        read_proposals(path, limits)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert caught.value.remedy
    assert len(line) < len(str(path)) + 2500
    return caught.value.problem


def shared_references(depth: int) -> bytes:
    value: list[object] = [1.0, 2.0, 3.0, 4.0]
    for _ in range(depth):
        value = [value] * 4
    return pickle.dumps({"boxes": [value], "ids": ["a"]})


def test_a_file_is_read_in_a_process_of_its_own(tmp_path: Path) -> None:
    boxes = np.array([[1.5, 2, 3, 4], [5, 6, 7, 8]])
    np.savez(tmp_path / "x.npz", **{"images/a.jpg": boxes, "b": np.zeros((0, 4))})
    found = read_proposals(tmp_path / "x.npz")
    assert (found.format, found.names) == ("NumPy archive", ("images/a.jpg", "b"))
    np.testing.assert_array_equal(found.boxes[0], boxes)
    assert found.boxes[1].shape == (0, 4)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_pickle_with_shared_references(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(shared_references(40))
    assert (tmp_path / "a.pkl").stat().st_size < 526
    found = problem(tmp_path / "a.pkl")
    assert "needs more than 256 MB" in found or "was not read in 4 s" in found


@pytest.mark.skipif(sys.platform == "win32", reason="no limits there")
def test_a_pickle_that_asks_for_memory(tmp_path: Path) -> None:
    # bytearray(15 GB): a call of a type that plain data needs.
    content = b"cbuiltins\nbytearray\n(I15000000000\ntR."
    (tmp_path / "a.pkl").write_bytes(content)
    assert "needs more than 256 MB" in problem(tmp_path / "a.pkl")


def test_a_pickle_nested_deep(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"(" * 10 + b"\x80\x04" + b"]\x94" * 100_000 + b"a" * 99_999)
    problem(tmp_path / "a.pkl")


def header_of(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    return stream.getvalue()


def test_an_archive_whose_header_claims_terabytes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header_of((10**12, 4)))
    assert "memory" in problem(tmp_path / "a.npz")


@pytest.mark.slow
def test_an_archive_that_unpacks_to_more_than_its_limit(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header_of((16 * MEGABYTE, 4)) + bytes(512 * MEGABYTE))
    assert (tmp_path / "a.npz").stat().st_size < MEGABYTE
    assert "needs more than 256 MB of memory" in problem(tmp_path / "a.npz")


def test_an_archive_with_a_damaged_member(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.arange(4000.0).reshape(-1, 4))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[200:260] = b"\xff" * 60
    (tmp_path / "a.npz").write_bytes(content)
    assert "is not a NumPy archive of numbers" in problem(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "text",
    [
        '[{"image_id": 1, "bbox": [1, 2, 3, 1' + "0" * 400 + '], "score": 1}]',
        '[{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1' + "0" * 400 + "}]",
        '[{"image_id": [1], "bbox": [1, 2, 3, 4]}]',
        "[" * 100_000,
        '{"annotations": ' * 5000,
        '{"schema": "frcnn.proposal_boxes/1", "images": {"a": 1}}',
    ],
    ids=["box", "score", "id", "list", "objects", "images"],
)
def test_json_of_numbers_and_depths_that_no_tool_writes(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    try:
        found = read_proposals(tmp_path / "a.json", NARROW)
    except DataError:
        problem(tmp_path / "a.json")
    else:  # an infinite box is refused when its image is known
        assert not np.isfinite(found.boxes[0]).all() or found.names == (1,)


def mat_element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def mat_file(size: int, compressed: bool = True) -> bytes:
    """A MATLAB 5 file whose variable `boxes` is a vector of `size` zeros."""
    scipy_io = pytest.importorskip("scipy.io")
    stream = io.BytesIO()
    scipy_io.savemat(stream, {"boxes": np.zeros((size, 1))}, do_compression=compressed)
    return stream.getvalue()


@pytest.mark.slow
def test_a_matlab_file_that_unpacks_to_more_than_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(mat_file(64 * MEGABYTE))
    assert (tmp_path / "a.mat").stat().st_size < MEGABYTE
    assert "memory" in problem(tmp_path / "a.mat").lower()


@pytest.mark.slow
def test_mutated_matlab_files_end_no_command(tmp_path: Path) -> None:
    """SciPy's parser crashes on some of them; which ones depends on its version."""
    scipy_io = pytest.importorskip("scipy.io")
    cells = np.empty((1, 2), object)
    cells[0, 0], cells[0, 1] = np.ones((3, 4)), np.ones((2, 4))
    names = np.array([["a", "b"]], object)
    scipy_io.savemat(tmp_path / "whole.mat", {"boxes": cells, "images": names})
    assert len(read_proposals(tmp_path / "whole.mat").boxes) == 2
    whole = (tmp_path / "whole.mat").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(25):
        content = bytearray(whole)
        for place in rng.integers(128, len(content), 3):
            content[place] = rng.integers(256)
        (tmp_path / "a.mat").write_bytes(content)
        try:
            read_proposals(tmp_path / "a.mat", NARROW)
        except DataError:
            problem(tmp_path / "a.mat")


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_a_reader_that_crashes_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A SciPy that ends with SIGSEGV, as its parser does for some files."""
    folder = tmp_path / "packages" / "scipy"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "io.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    assert problem(tmp_path / "a.mat") == "crashes its reader (SIGSEGV)"


def test_the_command_prints_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", header_of((10**12, 4)))
    done = frcnn(tmp_path, "proposals", "data", "--import", "a.npz")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "a.npz" in done.stderr
    assert "this is a bug" not in done.stderr
