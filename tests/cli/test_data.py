"""`frcnn data`: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from frcnn_cli.cli.app import app
from support.datasets import pair, yolo

BOX = "1 0.5 0.5 0.5 0.2\n"


def test_it_lists_problems_and_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    yolo(Path("pets"), {"a.jpg": BOX, "b.jpg": "x\ny\n"}, train="images")
    run = CliRunner().invoke(app, ["data", "pets"])
    assert run.exit_code == 3
    for said in ("pets/labels/b.txt: line 1 is 'x'", "pets/labels/b.txt: line 2 is 'y'"):
        assert said in " ".join(run.stdout.split())
    assert "1 image, 1 object, 2 classes" in run.stdout
    # What it tells people it tells programs.
    found = json.loads(CliRunner().invoke(app, ["data", "pets", "--json"]).stdout)
    assert found["schema"] == "frcnn.data/1"
    assert found["classes"]["dog"]["objects"] == 1
    assert [each["file"] for each in found["problems"]] == ["pets/labels/b.txt"] * 2
    assert found["left_out"] == 1


def test_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in range(5):
        pair(Path("pets/train"), f"{i}", "dog")
    flags = ["--make-split", "test", "--to", "yolo", "--out", "new", "--pictures", "drawn"]
    run = CliRunner().invoke(app, ["data", "pets", "--json", *flags])
    assert run.exit_code == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["converted"]["splits"] == {"train": 4, "test": 1}
    assert len(found["pictures"]) == 5
    assert all(Path(path).is_file() for path in found["pictures"])
    assert Path("new/data.yaml").is_file()


@pytest.mark.parametrize("flags", [["--to", "voc"], ["--out", "x"], ["--make-split", "train"]])
def test_flags_that_contradict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    pair(Path("pets/train"), "a", "dog")
    run = CliRunner().invoke(app, ["data", "pets", *flags])
    assert run.exit_code == 1
    assert run.stderr.startswith("frcnn: error: ")
    assert "; " in run.stderr
