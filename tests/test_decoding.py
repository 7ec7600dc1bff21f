"""Damaged NumPy files raise a `ValueError`, whatever NumPy raises."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.decoding import load_archive


def test_an_archive_whose_directory_points_before_its_start(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    content = bytearray(stream.getvalue())
    end = content.index(b"PK\x05\x06")  # 16 bytes on: where the directory starts
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    content[end + 16 : end + 20] = (start + 50).to_bytes(4, "little")
    (tmp_path / "a.npz").write_bytes(content)
    for file in (tmp_path / "a.npz", bytes(content)):
        with pytest.raises(ValueError):
            load_archive(file)
    with pytest.raises(FileNotFoundError):
        load_archive(tmp_path / "no.npz")
