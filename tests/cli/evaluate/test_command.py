"""`frcnn eval --detections` as a user runs it: a real process, scored, explained, converted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def frcnn(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "frcnn_cli", *words]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )


def test_coco_results_are_scored_explained_and_converted(scenes: Path, tmp_path: Path) -> None:
    name = (scenes / "ImageSets/Main/test.txt").read_text().split()[0]
    rows = [{"image_id": int(name), "category_id": 1, "bbox": [0, 0, 20, 20], "score": 0.5}]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    words = ("eval", str(scenes), "--detections", "results.json", "--metric", "coco", "--explain")
    done = frcnn(tmp_path, *words, "--export", "yolo", "--export-format", "yolo", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["metric"] == "coco"
    assert report["map"] == report["coco"]["ap"]
    assert len(report["explanation"]["variations"]) > 9
    assert len((tmp_path / "yolo" / f"{name}.txt").read_text().split()) == 6

    shown = frcnn(tmp_path, *words)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == ""
    assert "results.json (COCO results)" in shown.stderr
    for told in ("AP75", "size of the object", "xmax − xmin", "the best free object (COCO)"):
        assert told in shown.stderr

    rows[0]["bbox"] = [0, 0, 5000, 20]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    refused = frcnn(tmp_path, *words)
    assert refused.returncode == 1
    assert refused.stderr.startswith("frcnn: error: results.json: [0]: bbox [0, 0, 5000, 20] lies")
    assert len(refused.stderr.splitlines()) == 1
