"""`frcnn demo` refuses a folder that is in use; the demo itself is `make demo`."""

from __future__ import annotations

from pathlib import Path

from support.commands import frcnn


def test_the_demo_touches_no_folder_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = frcnn(tmp_path, "demo", "--dir", ".")
    assert done.returncode == 1
    assert "name a new folder with --dir" in done.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
