"""The Python of README and documentation, as it is written there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nbclient
import nbformat
import pytest

from support import fiftyone_files
from support.commands import SETTINGS, frcnn
from support.datasets import coco
from support.pages import ROOT, snippets

FEW = "iterations=2, short_sides=(96,), short_side=96, long_side=160, gpus=0"
"""Settings with which training takes seconds."""
CHANGES = {
    r'train\("my-data"(, events=events)?.*\)': rf'train("my-data", {FEW}\1)',
    # Weights that would be downloaded, and a network of 550 MB.
    r'weights="IMAGENET1K_V1"|pretrained=True': "",
    r"models\.vgg16": "models.squeezenet1_1",
}
"""What is not run as it is written."""


PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if snippets(str(page.relative_to(ROOT))) and page.name != "onnx.md"  # see test_onnx.py
)


@pytest.fixture(scope="module")
def folder(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every file that the snippets name."""
    folder = tmp_path_factory.mktemp("snippets")
    shutil.copytree(scenes, folder / "my-data")
    photos = sorted(scenes.glob("JPEGImages/*.jpg"))
    (folder / "holiday").mkdir()
    (folder / "images").mkdir()
    for name, photo in zip(
        ("photo.jpg", "images/photo.jpg", "holiday/a.jpg"), photos, strict=False
    ):
        shutil.copy(photo, folder / name)
    (folder / "frcnn.toml").write_text(SETTINGS, encoding="utf-8")
    for command in (
        ("detect", "photo.jpg"),
        ("proposals", "photo.jpg", "images/photo.jpg", "--export", "boxes.npz"),
        ("train", "my-data", "--gpus", "0"),
        ("data", "my-data", "--to", "coco", "--out", "coco"),
        ("eval", "coco", "--export", "results.json", "--export-format", "coco", "--gpus", "0"),
    ):
        done = frcnn(folder, *command)
        assert done.returncode == 0, done.stderr
    classes = json.loads((folder / "boxes.json").read_text("utf-8"))["model"]["classes"]
    coco(folder / "instances.json", [{"file_name": "photo.jpg", "id": 1}], [], classes)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_snippets_of_a_page_run(page, folder, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    fiftyone_files.install(monkeypatch)
    names: dict[str, object] = {}
    for snippet in snippets(page):
        code = snippet
        for written, instead in CHANGES.items():
            code = re.sub(written, instead, code)
        exec(compile(code, page, "exec"), names)


@pytest.mark.slow
def test_a_notebook_shows_the_image_with_its_boxes(folder) -> None:
    """In a real kernel, which starts worker processes too."""
    first = snippets("docs/how-to/from-python.md")[0]
    cells = (
        first,
        'detector.detect("photo.jpg", score=0.0)',
        f'from frcnn_cli import train\ntrain("my-data", {FEW}, cache="other").steps',
    )
    notebook = nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)])
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    shown = [output.data for output in notebook.cells[1].outputs]
    assert [set(each) for each in shown] == [{"image/png", "text/plain"}]
    assert shown[0]["text/plain"].startswith("<photo.jpg, ")
    assert notebook.cells[2].outputs[-1].data["text/plain"] == "2"
