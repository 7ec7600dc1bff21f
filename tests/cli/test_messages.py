"""Mistyped commands, and the one line that each prints."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from support.commands import frcnn
from support.datasets import pair


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an image and what is in the way."""
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg")
    (tmp_path / "drawn").write_text("a file")
    (tmp_path / "lr.toml").write_text("[train]\nlearning_rate = 0.1\n")
    (tmp_path / "score.toml").write_text("[detect]\nscore_threshold = 50\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("detect photo.jpg --checkpoint .", ".: is a folder without best.safetensors; name the"),
        ("detect photo.jpg --nms 50", "'--nms': it must be at most 1: 50 % is 0.5"),
        ("detect photo.jpg --vote x", "'--vote': it must be a number"),
        (
            "detect photo.jpg --config score.toml",
            "score_threshold is 50; use a number of at least 0 and at most 1, such as 0.5 for 50 %",
        ),
        ("eval --metric voc", "'--metric': 'voc' is not one of 'voc07', 'voc10', 'coco'."),
        ("data --checkpoint best.safetensors", "--checkpoint needs --next"),
        ("data --run a", "--run needs --next"),
        ("data --gpus 0 --json", "--gpus needs --next"),
        ("data --sample 3", "--sample needs --pictures"),
        ("data --seed 3", "--seed needs --pictures or --make-split"),
        ("data --share 0.5", "--share needs --make-split"),
        ("data --link", "--link needs --to"),
        ("detect photo.jpg --draw-score 0.5", "--draw-score needs --draw or --page"),
        ("eval --export-format voc", "--export-format needs --export"),
        ("eval --detections a --vote 0", "--detections does not go with --vote"),
        ("eval --compare a b --run c", "--compare does not go with --run"),
        ("compress bundled --fc6 3 --split test", "--split needs --max-drop"),
        ("proposals photo.jpg --split val", "--split needs --import or --report"),
        ("proposals . --import a.mat --export a.npz", "--import does not go with --export"),
        ("proposals . --report a --force", "--report does not go with --force"),
        ("train --replay step.safetensors --resume", "--replay does not go with --resume"),
        ("train --seed 1.5", "'--seed': it must be a whole number"),
        ("train --seed -1", "'--seed': it must be at least 0"),
        ("train --config lr.toml", "unknown key 'learning_rate'; did you mean lr?"),
        ("detect https://a.org/b.jpg", "does not exist; download it first: URLs are not read"),
        ("train https://a.org/voc", "does not exist; download it first: URLs are not read"),
        ("detect photo.jpg --checkpoint https://a.org/b.pt", "download it first: URLs are not"),
        ("detect photo.jpg --draw drawn", "drawn: is a file, not a folder; name a folder with"),
        ("detect photo.jpg --draw drawn/a", "drawn: is a file, not a folder; name a folder with"),
    ],
)
def test_a_line_names_the_remedy(folder: Path, words: str, message: str) -> None:
    done = frcnn(folder, *words.split())
    assert done.returncode in (1, 2)
    text = " ".join(done.stderr.replace("│", " ").split())
    assert message in text
    assert not any(word in text for word in ("Traceback", "Value error", "Input should"))


def test_an_export_without_onnx_ends_before_the_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    done = frcnn(folder, "export", "bundled", "model.onnx")
    assert done.returncode == 1
    assert done.stderr.startswith("frcnn: error: exporting needs onnxscript")


def test_training_on_difficult_objects_alone_ends_before_the_work(tmp_path: Path) -> None:
    for stem in "abc":
        pair(tmp_path / "pets", stem, "dog")
        xml = tmp_path / "pets" / f"{stem}.xml"
        hidden = "<object><difficult>1</difficult>"
        xml.write_text(xml.read_text().replace("<object>", hidden))
    done = frcnn(tmp_path, "train", "pets", "--gpus", "0", "--iterations", "1")
    assert done.returncode == 1
    message = "pets: 2 difficult objects and no other in 'trainval'; set train_on_difficult"
    assert message in " ".join(done.stderr.split())
    assert not list(tmp_path.rglob("*.safetensors"))
