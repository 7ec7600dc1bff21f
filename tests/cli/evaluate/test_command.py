"""`frcnn eval` of a detector, of a file of detections, and of two of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from frcnn_cli.data.images import image_size
from frcnn_cli.data.scenes import CLASSES
from support.commands import frcnn, metrics, trained_run

pytestmark = pytest.mark.slow


def test_eval_takes_the_newest_detector(project: Path) -> None:
    done = frcnn(project, "eval", "--out", "out/report.json", "--plot", "out/curves.png")
    assert done.returncode == 0, done.stderr
    report = json.loads((project / "out" / "report.json").read_text())
    assert report["schema"] == "frcnn.evaluation/1"
    assert image_size(project / "out" / "curves.png")[0] > 400
    assert report["images"] == 4
    assert set(report["classes"]) == set(CLASSES)
    assert "efficientnet_lite0-1" in done.stderr


def test_eval_scores_a_run_as_its_training_did(project: Path) -> None:
    done = frcnn(project, "eval", "--split", "val", "--json")
    score = metrics(project)[-1]["final_map"]
    assert json.loads(done.stdout)["map"] == pytest.approx(score, abs=1e-6)


def test_the_boxes_of_detect_score_as_the_detector_does(project: Path) -> None:
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    image_files = [f"scenes/JPEGImages/{name}.jpg" for name in tests]
    words = ("--vote", "0")  # the threshold of eval is one before the calibration
    frcnn(project, "detect", *image_files, "--out", "test.json", "--score", "0.01", *words)
    from_file = frcnn(project, "eval", "--detections", "test.json", "--json")
    from_model = frcnn(project, "eval", "--json", *words)
    ours, theirs = (json.loads(done.stdout) for done in (from_file, from_model))
    assert ours["map"] == pytest.approx(theirs["map"], abs=1e-6)


def test_a_report_has_the_reasons_of_misses(project: Path) -> None:
    done = frcnn(project, "eval", "--report", "report")
    assert done.returncode == 0, done.stderr
    assert "report in report/index.html" in done.stderr
    figures = json.loads((project / "report" / "report.json").read_text())
    assert list(figures["misses"]) == [
        "no_proposal",
        "confused",
        "localisation",
        "suppressed",
        "low_score",
    ]
    page = (project / "report" / "index.html").read_text(encoding="utf-8")
    assert "eval --report report" in page
    assert "efficientnet_lite0-1" in page


def test_calibrate_with_images_that_were_held_out(project: Path, tmp_path: Path) -> None:
    """Half of what the detector finds is made the truth of the test split, which it then knows."""
    shutil.copytree(project / "scenes", tmp_path / "scenes")
    best = str(trained_run(project) / "best.safetensors")
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    image_files = [f"scenes/JPEGImages/{name}.jpg" for name in tests]
    words = ("detect", *image_files, "--checkpoint", best)
    found = json.loads(frcnn(tmp_path, *words, "--out", "all.json", "--json").stdout)
    images = json.loads((tmp_path / "all.json").read_text())["images"]
    scores = sorted(each["score"] for image in images for each in image["detections"])
    assert found["detections"] > 10
    middle = str(scores[len(scores) // 2])
    frcnn(tmp_path, *words, "--format", "voc", "--out", "truth", "--score", middle)
    shutil.copytree(tmp_path / "truth", tmp_path / "scenes/Annotations", dirs_exist_ok=True)

    new = "new.safetensors"
    words = ("eval", "--checkpoint", best)
    done = frcnn(tmp_path, *words, "--calibrate", new, "--json")
    assert done.returncode == 0, done.stderr
    before = json.loads(done.stdout)
    shown = frcnn(tmp_path, "eval", "--checkpoint", new)
    assert "confident from score 0." in shown.stdout
    after = json.loads(frcnn(tmp_path, "eval", "--checkpoint", new, "--json").stdout)
    assert after["threshold"]["recall"] > 0.9
    assert after["map"] == pytest.approx(before["map"], abs=1e-6)
    # Another time it is calibrated as before, not on top.
    frcnn(tmp_path, "eval", "--checkpoint", new, "--calibrate", "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / new).read_bytes()

    refused = frcnn(tmp_path, *words, "--split", "trainval", "--calibrate", "no.safetensors")
    assert refused.returncode == 1
    assert "was trained on 8 of the 10 images of 'trainval'" in " ".join(refused.stderr.split())
    assert not (tmp_path / "no.safetensors").exists()
    assert frcnn(tmp_path, *words, "--vote", "0", "--calibrate", "no.safetensors").returncode == 2


def test_two_detectors_side_by_side(project: Path) -> None:
    frcnn(project, "detect", "scenes/JPEGImages", "--out", "all.json", "--score", "0.01")
    tests = (project / "scenes/ImageSets/Main/test.txt").read_text().split()
    boxes = json.loads((project / "all.json").read_text())
    boxes["images"] = [each for each in boxes["images"] if Path(each["file"]).stem in tests]
    (project / "a.json").write_text(json.dumps(boxes))
    for each in boxes["images"]:
        each["detections"] = each["detections"][1:]
    (project / "b.json").write_text(json.dumps(boxes))
    words = ("--compare", "a.json", "b.json")
    done = frcnn(project, "eval", *words, "--json", "--report", "ab", "--out", "ab.json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["difference"] == pytest.approx(result["map_b"] - result["map_a"])
    assert result == json.loads((project / "ab.json").read_text())
    assert result == json.loads((project / "ab" / "report.json").read_text())
    both = ("--compare", "efficientnet_lite0-1", "b.json")
    detected = json.loads(frcnn(project, "eval", *both, "--json").stdout)
    alone = json.loads(frcnn(project, "eval", "--json").stdout)
    assert detected["map_a"] == pytest.approx(alone["map"])
    assert detected["map_b"] == result["map_b"]
    refused = frcnn(project, "eval", *words, "--plot", "curves.png")
    assert refused.returncode == 2


def test_classes_that_the_checkpoint_does_not_know(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "scenes", tmp_path / "scenes")
    for xml in (tmp_path / "scenes/Annotations").iterdir():
        xml.write_text(xml.read_text().replace("<name>mug</name>", "<name>teapot</name>"))
    checkpoint = trained_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "eval", "--checkpoint", str(checkpoint))
    assert done.returncode == 1
    assert "does not know the class 'teapot'" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["eval", "--checkpoint", "gone.safetensors"],
            "there is no file and no run 'gone",
        ),
        (["eval", "--split", "holdout"], "has no split 'holdout'"),
        (["eval", "--detections", "frcnn.toml"], "frcnn.toml: "),
    ],
)
def test_errors_are_one_line(project: Path, words: list[str], message: str) -> None:
    done = frcnn(project, *words)
    assert done.returncode == 1, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if "frcnn: " in line]) == 1
    assert [run.name for run in (project / ".frcnn/runs").iterdir()] == ["efficientnet_lite0-1"]


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
    assert "results.json (COCO results)" in shown.stderr
    for shown_text in ("AP75", "size of the object", "xmax − xmin", "the best free object (COCO)"):
        assert shown_text in shown.stdout

    rows[0]["bbox"] = [0, 0, 5000, 20]
    (tmp_path / "results.json").write_text(json.dumps(rows))
    refused = frcnn(tmp_path, *words)
    assert refused.returncode == 1
    assert refused.stderr.startswith("frcnn: error: results.json: [0]: bbox [0, 0, 5000, 20] lies")
    assert len(refused.stderr.splitlines()) == 1
