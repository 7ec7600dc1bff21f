"""The package as a library: the same numbers as the commands, light to import, typed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import frcnn_cli
from frcnn_cli import DetectedObject, Detector, FrcnnError, ImageDetections, find_proposals
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import load_image

ROOT = Path(__file__).parents[2]
FEW = ProposalConfig(max_proposals=200)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector.load(device="cpu", regions=FEW)


@pytest.fixture(scope="module")
def photo(scenes: Path) -> Path:
    return min(scenes.glob("JPEGImages/*.jpg"))


@pytest.mark.slow
def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, frcnn_cli; print({'torch', 'cv2', 'numpy', 'PIL'} & set(sys.modules))"
    code += "; dir(frcnn_cli); frcnn_cli.Detector; print({'typer', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["set()", "set()"]


def test_every_name_is_there_and_no_other() -> None:
    for name in frcnn_cli.__all__:
        assert getattr(frcnn_cli, name) is not None
    assert set(frcnn_cli.__all__) <= set(dir(frcnn_cli))
    with pytest.raises(AttributeError, match="'frcnn_cli' has no attribute 'Detectors'"):
        _ = frcnn_cli.Detectors


def test_the_package_is_marked_as_typed() -> None:
    assert files("frcnn_cli").joinpath("py.typed").is_file()


def test_the_first_lines_of_the_page_are_five() -> None:
    page = (ROOT / "docs/how-to/from-python.md").read_text(encoding="utf-8")
    first = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert first is not None
    assert len([line for line in first[1].splitlines() if line]) <= 5


def test_a_file_its_pixels_and_its_picture_are_one_image(detector, photo) -> None:
    with Image.open(photo) as picture:
        pixels = load_image(photo)
        tensor = torch.from_numpy(pixels).permute(2, 0, 1)
        given = [photo, str(photo), pixels, tensor, photo.read_bytes(), picture.copy()]
    first, *others = [detector.detect(each, score=0.0) for each in given]
    assert len(first)
    for other in others:
        np.testing.assert_array_equal(other.boxes, first.boxes)
        np.testing.assert_array_equal(other.scores, first.scores)
    assert first.file == str(photo)
    assert others[-1].file == ""


def test_a_picture_is_turned_upright(detector) -> None:
    turned = Image.new("RGB", (60, 40), "red")
    turned.getexif()[0x0112] = 6
    assert detector.detect(turned).pixels.shape == (60, 40, 3)


def test_objects_dictionary_and_drawing_agree(detector, photo) -> None:
    found = detector.detect(photo, score=0.0, max_objects=3)
    assert len(found) == 3
    entry = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [each["label"] for each in entry["detections"]] == found.names
    for one, written in zip(found, entry["detections"], strict=True):
        assert one.name == written["label"]
        assert one.score == pytest.approx(written["score"], abs=1e-6)
        assert one.box == pytest.approx(written["box"], abs=0.01)
    height, width = found.pixels.shape[:2]
    assert (entry["width"], entry["height"]) == (width, height)
    assert found.draw(0.0).size == (width, height)
    assert np.array_equal(np.asarray(found.draw(1.1)), found.pixels)


def test_a_list_with_a_folder_is_a_stream_that_leaves_out_what_fails(
    detector, photo, tmp_path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(photo.read_bytes())
    (folder / "b.jpg").write_bytes(b"no image")
    failures: list[FrcnnError] = []
    with Image.open(photo) as picture:
        stream = detector.detect([picture, str(folder)], score=0.0, failed=failures.append)
        first, second = stream
    assert [first.file, second.file] == ["", str(folder / "a.jpg")]
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert [error.file for error in failures] == [str(folder / "b.jpg")]
    assert len(list(detector.detect(folder, failed=failures.append))) == 1
    with pytest.raises(FrcnnError, match="does not exist"):
        next(detector.detect([photo, "no.jpg"]))


def found_by_hand() -> ImageDetections:
    return ImageDetections(
        np.zeros((90, 120, 3), np.uint8),
        "holiday/12.jpg",
        (120, 90),
        np.array([[1, 2, 31, 42], [5, 5, 50, 50], [0, 0, 9, 9]], np.float32),
        np.array([0.9, 0.6, 0.3], np.float32),
        np.array([2, 1, 2]),
        ("cat", "dog"),
        7,
        {},
    )


def test_detections_are_indexed_filtered_and_shown() -> None:
    found = found_by_hand()
    assert repr(found) == "<holiday/12.jpg, 120 × 90, 3 objects: dog 2, cat 1>"
    assert repr(found[:0]) == "<holiday/12.jpg, 120 × 90, 0 objects>"
    assert found[1] == DetectedObject("cat", pytest.approx(0.6), (5, 5, 50, 50))
    assert found[-1] == list(found)[2]
    assert found[1:].names == ["cat", "dog"]
    assert found[found.scores > 0.5].names == ["dog", "cat"]
    assert found.filter(0.5, ["dog"]).names == ["dog"]
    assert found[:0].filter(0.5, ["dog"]).names == []
    with pytest.raises(FrcnnError, match=r"classes are \['dgo'\]; use names such as cat, dog"):
        found.filter(classes=["dgo"])
    with pytest.raises(IndexError):
        _ = found[3]
    png = found._repr_png_()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), np.asarray(found.draw()))


def test_other_tools_get_the_same_boxes() -> None:
    found = found_by_hand()
    assert found.to_coco()[0] == {
        "image_id": 12,
        "category_id": 2,
        "bbox": [1.0, 2.0, 30.0, 40.0],
        "score": 0.9,
    }
    assert {row["image_id"] for row in found.to_coco("x")} == {"x"}
    theirs = found.to_supervision()
    np.testing.assert_array_equal(theirs.xyxy, found.boxes)
    assert [found.classes[k] for k in theirs.class_id] == list(theirs["class_name"]) == found.names


def test_own_proposals_are_classified(detector, photo) -> None:
    found = detector.detect(photo, proposals=[[0, 0, 50, 50], [10, 10, 60, 90]], score=0.0, nms=1.0)
    assert found.proposals == 2
    assert len(detector.detect(photo, proposals=[])) == 0
    with pytest.raises(FrcnnError, match=r"have the shape \(4, 5\)"):
        detector.detect(photo, proposals=np.ones((4, 5)))  # with scores
    with pytest.raises(FrcnnError, match="are not boxes"):
        detector.detect(photo, proposals=[[0, 0, 5, 5], [1, 2]])


def test_a_cache_keeps_regions_and_without_one_nothing_is_kept(photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without = find_proposals(photo, FEW)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(find_proposals(photo, FEW, cache="kept"), without)
    assert list(tmp_path.glob("kept/proposals/*/*"))
    np.testing.assert_array_equal(find_proposals(photo, FEW, cache="kept"), without)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda d: d.detect("no.jpg"), r"no\.jpg: does not exist"),
        (lambda d: d.detect(np.zeros((4, 4), np.uint8)), r"shape \(4, 4\).*pass RGB pixels"),
        (lambda d: d.detect(np.zeros((4, 4, 3))), "float64; pass RGB pixels"),
        (lambda d: d.detect(np.zeros((0, 4, 3), np.uint8)), "pass an image"),
        (lambda d: d.detect(b"GIF89a"), r"^is not an image in a known format; convert"),
        (lambda d: d.detect(b""), "^is empty"),
        (lambda d: d.detect(None), "an image is of type NoneType; pass a path"),
        (lambda d: d.detect(torch.zeros(3, 4, 4)), r"float32; pass RGB pixels \(3, H, W\)"),
        (lambda d: d.detect("no.jpg", score=2), "score_threshold is 2"),
        (lambda d: d.evaluate("nowhere"), "nowhere"),
        (lambda _: Detector.load("no.safetensors"), "there is no file and no run"),
        (lambda _: Detector.load(device="gpu"), "'gpu' is not a device"),
        (lambda _: Detector.load(device="cuda:99"), "'cuda:99', but torch sees"),
        (lambda _: Detector.load(device="meta"), "frcnn does not compute on 'meta'"),
        (lambda _: frcnn_cli.train(".", learning_rate=1), "unknown key 'learning_rate'"),
        (lambda _: frcnn_cli.train(".", recipe="papper"), "recipe is 'papper'; use one of default"),
        (lambda _: frcnn_cli.train(".", resume=True, lr=1), "lr is given with resume"),
        (lambda _: frcnn_cli.train(".", resume=True, weights="bundled"), "weights is given with"),
        (lambda _: frcnn_cli.train(".", weights="gone"), "there is no file and no run 'gone'"),
    ],
)
def test_errors_are_one_line_with_a_remedy(detector, act, message) -> None:
    with pytest.raises(FrcnnError, match=message):
        act(detector)


@pytest.mark.slow
def test_train_then_evaluate(scenes: Path, tmp_path: Path) -> None:
    few = {"iterations": 2, "short_sides": (96,), "short_side": 96, "long_side": 160}
    result = frcnn_cli.train(
        scenes, split="train", **few, regions=FEW, gpus=0, cache=tmp_path / "cache"
    )
    trained = Detector.load(result.best, device="cpu", regions=FEW, cache=tmp_path / "cache")
    assert trained.checkpoint.parent == tmp_path / "cache/runs/efficientnet_lite0-1"
    assert trained.evaluate(scenes).images == 4  # of test
    assert result.score is not None
    score = trained.evaluate(scenes, split="val").mean_ap("voc07")
    assert score == pytest.approx(result.score.map, abs=1e-6)
