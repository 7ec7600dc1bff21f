"""Many classes fill no screen, and names that differ in case only get a hint."""

from __future__ import annotations

from pathlib import Path

from frcnn_cli.data.class_names import alike
from support.commands import frcnn
from support.exports import LABEL, yolo


def test_names_that_differ_in_case_only() -> None:
    assert alike(["cat", "Dog", "dog", "DOG"]) == [
        "'Dog', 'dog', 'DOG' are 3 classes: rename them if they are one"
    ]
    assert alike(["cat", "dog"]) == []


def test_five_thousand_classes_fill_no_screen(tmp_path: Path) -> None:
    names = ["Dog", "dog", *map(str, range(5000))]
    yolo(["images/a.jpg", "images/b.jpg"], {"classes.txt": "\n".join(names)})(tmp_path / "data")
    assert (tmp_path / "data" / "labels" / "a.txt").read_text() == LABEL
    printed = frcnn(tmp_path, "data", "data").stdout
    assert "and 4,952 more; --json lists them all" in " ".join(printed.split())
    assert "'Dog', 'dog' are 2 classes" in printed
    assert len(printed.splitlines()) < 100
