"""JSON of commands that no other test reads, and of files, against the published schemas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.commands import frcnn, trained_run
from support.schemas import require_valid

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "command",
    [
        "cache ls",
        "cache verify",
        "cache gc --dry-run",
        "data scenes --to coco --out {new}/coco --pictures {new}/sample",
        "proposals scenes --report recall",
        "eval --metric coco --explain",
        "bench {photo} --checkpoint {best} --rois 8 --repeat 1 --short-side 96",
    ],
)
def test_what_is_printed_has_its_schema(project: Path, tmp_path: Path, command: str) -> None:
    photo = min((project / "scenes/JPEGImages").iterdir())
    best = trained_run(project) / "best.safetensors"
    words = command.format(photo=photo, best=best, new=tmp_path).split()
    done = frcnn(project, *words, "--json")  # which validates
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_files_have_their_schemas(project: Path) -> None:
    photo = str(min((project / "scenes/JPEGImages").iterdir()))
    done = frcnn(project, "detect", photo, "--out", "one.json", "--score", "0", "--json")
    assert done.returncode == 0, done.stderr
    (image,) = require_valid(json.loads((project / "one.json").read_text()))["images"]
    require_valid(image, "Image")
    assert image["detections"]
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    frcnn(
        project, "detect", *(f"scenes/JPEGImages/{name}.jpg" for name in tests), "--out", "a.json"
    )
    for name, words in {
        "out.json": ("--out", "out.json"),
        "page/report.json": ("--report", "page"),
        "pair/report.json": ("--compare", "a.json", "a.json", "--report", "pair"),
    }.items():
        done = frcnn(project, "eval", *words)
        assert done.returncode == 0, done.stderr
        require_valid(json.loads((project / name).read_text()))


def test_the_files_of_a_run_have_their_schemas(project: Path) -> None:
    run = trained_run(project)
    require_valid(json.loads((run / "config.json").read_text()), "RunConfig")
    kinds = {"loss": "MetricsStep", "map": "MetricsEvaluation", "final_map": "MetricsEnd"}
    seen = set()
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        (key,) = row.keys() & kinds.keys()
        require_valid(row, kinds[key])
        seen.add(key)
    assert seen == kinds.keys()


def test_exported_proposals_have_their_schema(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "boxes.json"
    done = frcnn(project, "proposals", "scenes/JPEGImages", "--export", str(file), "--json")
    assert done.returncode == 0, done.stderr
    assert len(require_valid(json.loads(file.read_text()))["images"]) == 14
