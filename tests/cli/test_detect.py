"""`frcnn detect` with a detector of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from frcnn_cli.data.images import image_size
from frcnn_cli.data.scenes import CLASSES
from support.commands import frcnn, trained_run

pytestmark = pytest.mark.slow


def test_detect_writes_boxes_and_pictures(project: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    (project / "photo.jpg").write_bytes(photograph.read_bytes())
    done = frcnn(
        project, "detect", "photo.jpg", "--out", "boxes.json", "--draw", "drawn", "--score", "0"
    )
    assert done.returncode == 0, done.stderr
    boxes = json.loads((project / "boxes.json").read_text())
    assert boxes["schema"] == "frcnn.detections/1"
    assert boxes["model"]["classes"] == list(CLASSES)
    (entry,) = boxes["images"]
    size = (entry["width"], entry["height"])
    assert size == image_size(photograph) == image_size(project / "drawn" / "photo.jpg")
    scores = [found["score"] for found in entry["detections"]]
    assert scores
    assert scores == sorted(scores, reverse=True)
    for found in entry["detections"]:
        x1, y1, x2, y2 = found["box"]
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert found["label"] == CLASSES[found["category_id"] - 1]


def test_boxes_on_stdout_are_nothing_but_json(project: Path) -> None:
    done = frcnn(project, "detect", "scenes/JPEGImages", "--out", "-")
    assert len(json.loads(done.stdout)["images"]) == 14


def test_pictures_of_the_same_name_do_not_replace_each_other(project: Path, tmp_path: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(photograph, tmp_path / folder / "photo.jpg")
    checkpoint = trained_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "a", "b", "--draw", "drawn", "--checkpoint", str(checkpoint))
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "drawn").iterdir()} == {"photo.jpg", "photo-2.jpg"}


def test_pictures_are_never_written_over_photographs(project: Path, tmp_path: Path) -> None:
    photograph = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    shutil.copy(photograph, tmp_path / "photo.jpg")
    checkpoint = trained_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "photo.jpg", "--draw", ".", "--checkpoint", str(checkpoint))
    assert done.returncode == 1
    assert "name another folder with --draw" in done.stderr
    assert (tmp_path / "photo.jpg").read_bytes() == photograph.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["detect", "nowhere.jpg"], "nowhere.jpg: does not exist"),
        (["detect", "frcnn.toml"], "frcnn.toml: is not an image in a known format"),
        (["detect", "scenes/JPEGImages", "--out", "/proc/boxes.json"], "/proc/boxes.json"),
    ],
)
def test_errors_are_one_line(project: Path, words: list[str], message: str) -> None:
    done = frcnn(project, *words)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "frcnn: " in line]) == 1
    assert [run.name for run in (project / ".frcnn/runs").iterdir()] == ["efficientnet_lite0-1"]
