"""`frcnn data` reads the exports of labelling tools right, or reports why it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.data.open import open_dataset
from support.commands import frcnn
from support.exports import BOX, text
from support.outcomes import OUTCOMES


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_export_is_read_as_it_is_meant_or_refused(tmp_path: Path, name: str) -> None:
    outcome = OUTCOMES[name]
    (tmp_path / "data").mkdir()
    outcome.case(tmp_path / "data")
    done = frcnn(tmp_path, "data", "data", "--json")
    report = json.loads(done.stdout) if done.stdout else {}
    words = " ".join((done.stderr + json.dumps(report, ensure_ascii=False)).split())
    plain = frcnn(tmp_path, "data", "data")
    words += " ".join((plain.stdout + plain.stderr).split())
    assert all(each in words for each in outcome.notes), words
    assert outcome.unsaid not in words
    count = outcome.made if outcome.splits is None else len(report.get("splits", {}))
    if not (outcome.made or outcome.splits or outcome.left_out):
        assert done.returncode == 1, words
        return
    assert done.returncode == (3 if outcome.left_out else 0), words
    assert report["left_out"] == outcome.left_out
    splits = {split: each["photographs"] for split, each in report["splits"].items()}
    if outcome.splits is None:
        assert count == outcome.made == sum(splits[each] for each in ("trainval", "test"))
    else:
        assert splits == outcome.splits
    assert report["objects"] == report["photographs"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["voc-cvat-default", "coco-one-json-per-image", "coco-cameras"])
def test_unsplit_data_can_be_split_trained_on_and_scored(tmp_path: Path, name: str) -> None:
    OUTCOMES[name].case(tmp_path / "data")
    made = frcnn(tmp_path, "data", "data", "--make-split", "val", "--json")
    assert made.returncode == 0, made.stderr
    counts = json.loads(made.stdout)["splits"]
    parts = [counts[split]["photographs"] for split in ("train", "val", "test")]
    assert min(parts) > 0
    assert sum(parts) == OUTCOMES[name].made
    dry = frcnn(tmp_path, "train", "data", "--split", "train", "--dry-run", "--iterations", "1")
    assert dry.returncode == 0, dry.stderr
    assert "is not split into train, val and test: made trainval" in " ".join(dry.stderr.split())
    dataset = open_dataset(tmp_path / "data", Cache(tmp_path / ".frcnn"))
    for split in ("val", "test"):
        images = [
            {
                "file": str(dataset.record(image_id).path),
                "width": 160,
                "height": 120,
                "detections": [{"label": "cat", "category_id": 1, "score": 0.9, "box": BOX}],
            }
            for image_id in dataset.split(split)
        ]
        text(
            tmp_path / "boxes.json",
            json.dumps({"schema": "frcnn.detections/1", "images": images}),
        )
        words = ("eval", "data", "--split", split, "--detections", "boxes.json", "--json")
        scored = frcnn(tmp_path, *words)
        assert json.loads(scored.stdout)["map"] == 1, scored.stderr
