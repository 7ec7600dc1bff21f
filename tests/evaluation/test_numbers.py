"""Image ids that several COCO files give to different images stay apart in scoring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frcnn_cli.cache.store import Cache
from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.export import export_detections
from frcnn_cli.evaluation.run import EvaluationJob, EvaluationRun, evaluate_file
from frcnn_cli.proposals.interchange.import_ import import_proposals
from support.commands import frcnn
from support.exports import BOX, coco_document, picture, text, xml


def two_files(root: Path, second: dict[str, Any] | None = None) -> Path:
    """COCO data whose train and val both count their images from 1."""
    for i, split in enumerate(("train", "val")):
        picture(root / split / f"{split}.jpg", 40 * i)
        document = coco_document([f"{split}.jpg"])
        if second is not None and split == "val":
            document |= second
        text(root / "annotations" / f"instances_{split}.json", json.dumps(document))
    return root


def boxes(path: Path, *files: str, label: str = "cat") -> Path:
    detection = {"label": label, "category_id": 1, "score": 0.9, "box": BOX}
    images = [
        {"file": each, "width": 160, "height": 120, "detections": [detection]} for each in files
    ]
    text(path, json.dumps({"schema": "frcnn.detections/1", "images": images}))
    return path


def scored(root: Path, split: str, detections: Path) -> EvaluationRun:
    return evaluate_file(EvaluationJob(root, split, Cache(root.parent / "cache")), detections)


def test_our_results_score_the_same_when_they_are_read_back(tmp_path: Path) -> None:
    root = two_files(tmp_path / "data")
    run = scored(root, "trainval", boxes(tmp_path / "boxes.json", "train.jpg"))
    assert run.evaluation.mean_ap("voc10") == 0.5
    export_detections(run, tmp_path / "coco.json", "coco")
    again = scored(root, "trainval", tmp_path / "coco.json")
    assert again.evaluation.mean_ap("voc10") == 0.5


def swapped(root: Path) -> Path:
    """COCO data of two files alike, each of two images: the id of one is the other's file name.

    The object of `2.jpg`, which has the id 1, is elsewhere.
    """
    for i, split in enumerate(("train", "val")):
        for stem in "12":
            picture(root / split / f"{stem}.jpg", 40 * i + int(stem))
        document = coco_document(["1.jpg", "2.jpg"], ids=[2, 1])
        document["annotations"][1]["bbox"] = [90, 50, 30, 30]
        text(root / "annotations" / f"instances_{split}.json", json.dumps(document))
    return root


@pytest.mark.parametrize("kind", ["frcnn", "coco", "voc", "yolo"])
@pytest.mark.parametrize("split", ["val", "trainval"])
def test_files_named_as_other_images_ids_stay_apart(tmp_path: Path, kind: Any, split: str) -> None:
    root = swapped(tmp_path / "data")
    run = scored(root, split, boxes(tmp_path / "boxes.json", "val/1.jpg"))
    expected = {"val": 0.5, "trainval": 0.25}[split]
    assert run.evaluation.mean_ap("voc10") == expected
    if split == "trainval" and kind in {"voc", "yolo"}:
        with pytest.raises(DataError, match="would be written as '1', as "):
            export_detections(run, tmp_path / "out", kind)
    else:
        export_detections(run, tmp_path / "out", kind)
        again = scored(root, split, tmp_path / "out")
        assert again.evaluation.mean_ap("voc10") == expected


def test_ids_that_are_texts_of_one_number_stay_apart(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for stem in "ab":
        picture(root / "images" / f"{stem}.jpg", ord(stem))
    document = coco_document(["a.jpg", "b.jpg"], ids=["7", "007"])
    text(root / "annotations" / "instances_val.json", json.dumps(document))
    run = scored(root, "val", boxes(tmp_path / "boxes.json", "b.jpg"))
    export_detections(run, tmp_path / "coco.json", "coco")
    (row,) = json.loads((tmp_path / "coco.json").read_text())
    assert row["image_id"] == "007"
    assert scored(root, "val", tmp_path / "coco.json").evaluation.mean_ap("voc10") == 0.5


def test_reports_keep_images_of_one_id_and_one_name_apart(tmp_path: Path) -> None:
    swapped(tmp_path / "data")
    boxes(tmp_path / "a.json", "val/1.jpg")
    boxes(tmp_path / "b.json", "val/1.jpg", "train/1.jpg")
    split = ("--split", "trainval", "--metric", "voc10", "--json")
    done = frcnn(
        tmp_path,
        *("eval", "data", "--detections", "a.json", "--explain", "--report", "page", *split),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["map"] == 0.25
    page = (tmp_path / "page" / "index.html").read_text()
    missed = {f"{folder}/{stem}.jpg" for folder in ("train", "val") for stem in "12"}
    assert {name for name in missed if name in page} == missed - {"val/1.jpg"}
    files = ("--compare", "a.json", "b.json", "--report", "pages")
    compared = frcnn(tmp_path, "eval", "data", *files, *split)
    assert compared.returncode == 0, compared.stderr
    result = json.loads(compared.stdout)
    assert (result["map_a"], result["map_b"]) == (0.25, 0.5)


def test_proposals_by_cocos_own_numbers_are_those_of_their_images(tmp_path: Path) -> None:
    root, cache = swapped(tmp_path / "data"), Cache(tmp_path / "cache")
    rows = [{"image_id": 2, "bbox": [20, 20, 60, 60], "score": 1}]
    text(tmp_path / "one.json", json.dumps(rows))
    with pytest.raises(DataError, match="names no image of"):  # 2 is in train and in val
        import_proposals([root], tmp_path / "one.json", "one", cache, split="val")
    (root / "annotations" / "instances_train.json").unlink()
    run = import_proposals([root], tmp_path / "one.json", "one", cache, split="val")
    assert [*run.counts] == [root / "val" / "1.jpg"]


def test_results_of_two_images_with_one_number_are_refused(tmp_path: Path) -> None:
    root = two_files(tmp_path / "data")
    row = {"image_id": 1, "category_id": 1, "bbox": [20, 20, 60, 60], "score": 0.9}
    text(tmp_path / "coco.json", json.dumps([row]))
    assert scored(root, "val", tmp_path / "coco.json").evaluation.mean_ap("voc10") == 1
    with pytest.raises(DataError, match="image_id 1 could be 'train/1' or 'val/1'"):
        scored(root, "trainval", tmp_path / "coco.json")


def test_categories_are_those_of_the_file_that_is_scored(tmp_path: Path) -> None:
    annotation = {"id": 1, "image_id": 1, "category_id": 5, "bbox": [20, 20, 60, 60]}
    second = {"categories": [{"id": 5, "name": "cat"}], "annotations": [annotation]}
    root = two_files(tmp_path / "data", second)
    row = {"image_id": 1, "category_id": 5, "bbox": [20, 20, 60, 60], "score": 0.9}
    text(tmp_path / "coco.json", json.dumps([row]))
    assert scored(root, "val", tmp_path / "coco.json").evaluation.mean_ap("voc10") == 1


def test_two_classes_never_share_a_category(tmp_path: Path) -> None:
    second = {"categories": [{"id": 1, "name": "dog"}]}
    root = two_files(tmp_path / "data", second)
    run = scored(root, "trainval", boxes(tmp_path / "boxes.json", "val.jpg", label="dog"))
    assert len({*run.numbers.categories}) == 2
    export_detections(run, tmp_path / "coco.json", "coco")
    again = scored(root, "trainval", tmp_path / "coco.json")
    assert again.evaluation.mean_ap("voc10") == run.evaluation.mean_ap("voc10") == 0.5


@pytest.mark.parametrize("kind", ["frcnn", "coco", "voc", "yolo"])
@pytest.mark.parametrize("name", ["N/A", "..", "../x", "[red]a[/]", "50%2F", "a:b"])
def test_any_class_name_is_written_and_read_back(tmp_path: Path, kind: str, name: str) -> None:
    picture(tmp_path / "data" / "p.jpg")
    text(tmp_path / "data" / "p.xml", xml("p.jpg", name))
    boxes(tmp_path / "boxes.json", "p.jpg", label=name)
    split = ("--split", "trainval", "--json")
    done = frcnn(
        tmp_path,
        *("eval", "data", "--detections", "boxes.json", *split),
        *("--export", "out", "--export-format", kind),
    )
    assert done.returncode == 0, done.stderr
    again = frcnn(tmp_path, "eval", "data", "--detections", "out", *split)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["map"] == json.loads(done.stdout)["map"] == 1
    assert name in frcnn(tmp_path, "eval", "data", "--detections", "out", *split[:2]).stdout
