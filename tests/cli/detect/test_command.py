"""`frcnn detect` with a detector of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from frcnn_cli.cache.checkpoints import calibrate
from frcnn_cli.data.images import image_size
from frcnn_cli.data.scenes import CLASSES
from frcnn_cli.records import Calibration, OperatingPoint
from support.commands import COMMAND, frcnn, trained_run

pytestmark = pytest.mark.slow


def test_detect_writes_boxes_and_pictures(project: Path) -> None:
    image_file = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    (project / "photo.jpg").write_bytes(image_file.read_bytes())
    done = frcnn(
        project, "detect", "photo.jpg", "--out", "boxes.json", "--draw", "drawn", "--score", "0"
    )
    assert done.returncode == 0, done.stderr
    boxes = json.loads((project / "boxes.json").read_text())
    assert boxes["schema"] == "frcnn.detections/1"
    assert boxes["model"]["classes"] == list(CLASSES)
    (entry,) = boxes["images"]
    size = (entry["width"], entry["height"])
    assert size == image_size(image_file) == image_size(project / "drawn" / "photo.jpg")
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
    image_file = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        shutil.copy(image_file, tmp_path / folder / "photo.jpg")
    checkpoint = trained_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "a", "b", "--draw", "drawn", "--checkpoint", str(checkpoint))
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "drawn").iterdir()} == {"photo.jpg", "photo-2.jpg"}


def test_pictures_are_never_written_over_images(project: Path, tmp_path: Path) -> None:
    image_file = sorted((project / "scenes" / "JPEGImages").iterdir())[0]
    shutil.copy(image_file, tmp_path / "photo.jpg")
    checkpoint = trained_run(project) / "best.safetensors"
    done = frcnn(tmp_path, "detect", "photo.jpg", "--draw", ".", "--checkpoint", str(checkpoint))
    assert done.returncode == 1
    assert "name another folder with --draw" in done.stderr
    assert (tmp_path / "photo.jpg").read_bytes() == image_file.read_bytes()


def test_a_video_gives_lines_with_times_and_a_video_of_its_boxes(
    project: Path, tmp_path: Path
) -> None:
    clip = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(21):
        clip.write(np.full((48, 64, 3), 99, np.uint8))
    clip.release()
    checkpoint = str(trained_run(project) / "best.safetensors")
    done = frcnn(tmp_path, "detect", "a.avi", "--draw", "drawn", "--checkpoint", checkpoint)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "boxes.jsonl").read_text().splitlines()]
    assert [(line["file"], line["time"]) for line in lines] == [("a.avi", t) for t in (0, 1, 2)]
    drawn = cv2.VideoCapture(str(tmp_path / "drawn/a.mp4"))
    assert drawn.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert drawn.get(cv2.CAP_PROP_FPS) == 1
    # Frames are kept too: what is resumed with a closer spacing is searched in the new ones alone.
    words = ("--every", "0.5", "--resume", "--json", "--checkpoint", checkpoint)
    again = frcnn(tmp_path, "detect", "a.avi", "--out", "b.jsonl", *words)
    assert "nothing to resume" not in again.stderr
    closer = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    assert [line["time"] for line in closer] == [0, 0.5, 1, 1.5, 2]
    assert closer[::2] == lines  # to the seconds that they took
    done = frcnn(tmp_path, "detect", "a.avi", "--format", "csv", "--checkpoint", checkpoint)
    assert "a.avi: is a video, and the format csv has no times; use --format jsonl" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="no sh there")
def test_boxes_for_a_closed_standard_output_end_before_the_work(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    words = ["sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, "detect", "a.png", "--out", "-"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("frcnn: error: standard output is closed; name a file with --out")


def test_tiles_detect_in_each_window_in_pixels_of_the_image(project: Path, tmp_path: Path) -> None:
    """Four scenes side by side, in windows of which each holds one."""
    image_files = sorted((project / "scenes" / "JPEGImages").iterdir())[:4]
    mosaic = Image.new("RGB", (1600, 300))
    for place, image_file in enumerate(image_files):
        with Image.open(image_file) as image:
            mosaic.paste(image, (place * 400, 0))
    mosaic.save(tmp_path / "mosaic.png")
    found = {}
    for tiles in ("0", "400"):
        out = f"{tiles}.json"
        words = ("--tiles", tiles, "--score", "0", "--vote", "0", "--out", out)
        best = str(trained_run(project) / "best.safetensors")
        done = frcnn(tmp_path, "detect", "mosaic.png", *words, "--checkpoint", best)
        assert done.returncode == 0, done.stderr
        (found[tiles],) = json.loads((tmp_path / out).read_text())["images"]
    assert found["400"]["proposals"] > 2 * found["0"]["proposals"]
    # Five windows and the whole image, each with at most 100 detections.
    assert len(found["0"]["detections"]) == 100
    assert 300 < len(found["400"]["detections"]) <= 600
    assert {int(each["box"][0] // 400) for each in found["400"]["detections"]} == {0, 1, 2, 3}


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


def boxes_of(folder: Path, *words: str) -> list[dict]:
    """The detections in the scenes, of the detector and with the settings in `words`."""
    done = frcnn(folder, "detect", "scenes/JPEGImages", "--out", "found.json", *words)
    assert done.returncode == 0, done.stderr
    images = json.loads((folder / "found.json").read_text())["images"]
    return [each for image in images for each in image["detections"]]


@pytest.fixture(scope="module")
def detectors(project: Path) -> tuple[str, str, Calibration]:
    """The same weights as they are and calibrated, so that half of the detections are confident."""
    best = trained_run(project) / "best.safetensors"
    plain, calibrated = project / "plain.safetensors", project / "calibrated.safetensors"
    calibrate(best, plain, None)
    scores = [each["score"] for each in boxes_of(project, "--checkpoint", plain.name)]
    scale = Calibration(1.5, 2.0, OperatingPoint(0.5, 0.5, 0.5), "val", 2)
    middle = round(scale.calibrated(float(np.median(scores))), 3)
    calibration = Calibration(1.5, 2.0, OperatingPoint(middle, 0.5, 0.5), "val", 2)
    calibrate(best, calibrated, calibration)
    return plain.name, calibrated.name, calibration


def test_calibration_changes_scores_and_nothing_else(
    project: Path, detectors: tuple[str, str, Calibration]
) -> None:
    plain, calibrated, calibration = detectors
    before = boxes_of(project, "--checkpoint", plain)
    threshold = str(calibration.calibrated(0.05))
    after = boxes_of(project, "--checkpoint", calibrated, "--score", threshold)
    assert len(before) > 10
    expected = calibration.apply(np.array([each.pop("score") for each in before], np.float32))
    assert [each.pop("score") for each in after] == pytest.approx(expected, abs=1e-5)
    assert after == before
    assert boxes_of(project, "--checkpoint", calibrated, "--vote", "0") == boxes_of(
        project, "--checkpoint", plain, "--vote", "0"
    )


def test_confident_boxes(project: Path, detectors: tuple[str, str, Calibration]) -> None:
    _, calibrated, calibration = detectors
    words = ("detect", "scenes/JPEGImages", "--checkpoint", calibrated)
    done = frcnn(project, *words, "--json")
    result, best = json.loads(done.stdout), calibration.threshold.score
    assert 0 < result["confident"] < result["detections"]
    assert result["confident_score"] == best
    shown = (
        f"{result['confident']:,} confident detections, {result['detections']:,} in all from 0.05,"
    )
    assert f"{shown} in 14 images" in " ".join(frcnn(project, *words).stderr.split())
    only = boxes_of(project, "--checkpoint", calibrated, "--score", "best")
    assert len(only) == result["confident"]
    assert min(each["score"] for each in only) >= best - 1e-6
    frcnn(project, *words, "--format", "voc", "--out", "start")
    xml = "".join(path.read_text() for path in (project / "start").iterdir())
    assert xml.count("<object>") == result["confident"]
    frcnn(project, *words, "--format", "voc", "--out", "more", "--score", "0.05")
    xml = "".join(path.read_text() for path in (project / "more").iterdir())
    assert xml.count("<object>") == result["detections"]


def test_boxes_of_some_classes(project: Path, detectors: tuple[str, str, Calibration]) -> None:
    words = ("--checkpoint", detectors[0], "--score", "0.01")
    every = boxes_of(project, *words, "--max-per-image", "0")
    mugs = boxes_of(project, *words, "--classes", "mug, ball", "--max-per-image", "0")
    assert mugs == [each for each in every if each["label"] in ("mug", "ball")]
    # The cap is one of these classes: others, which may score higher, take no place.
    assert len(boxes_of(project, *words, "--classes", "mug", "--max-per-image", "1")) == len(
        {each["file"] for each in json.loads((project / "found.json").read_text())["images"]}
    )


def test_drawn_from_the_score_that_is_given(
    project: Path, detectors: tuple[str, str, Calibration]
) -> None:
    words = ("detect", "scenes/JPEGImages", "--checkpoint", detectors[1])
    drawn = {}
    for name, given in {
        "none": ("--draw-score", "1"),
        "best": (),
        "same": ("--draw-score", str(detectors[2].threshold.score)),
        "every": ("--score", "0.05"),
    }.items():
        assert frcnn(project, *words, "--draw", name, *given).returncode == 0
        drawn[name] = b"".join(path.read_bytes() for path in sorted((project / name).iterdir()))
    assert drawn["best"] == drawn["same"]
    assert len({drawn["none"], drawn["best"], drawn["every"]}) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score", "high"], "--score is 'high'; use a number from 0 to 1, or best"),
        (["--score", "50"], "score_threshold is 50.0"),
        (["--score", "best"], "has no threshold of its own, or does not vote; give a number, or"),
        (["--classes", "mug,cow"], "does not know the class 'cow' of --classes; it knows ball,"),
    ],
)
def test_thresholds_and_classes_that_cannot_be(
    project: Path, detectors: tuple[str, str, Calibration], words: list[str], message: str
) -> None:
    done = frcnn(project, "detect", "scenes/JPEGImages", "--checkpoint", detectors[0], *words)
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
