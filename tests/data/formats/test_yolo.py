"""YOLO: data.yaml, label files, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.formats.yolo_find import find_yolo
from frcnn_cli.errors import AnnotationError, DataError
from support.datasets import write_image, yolo

BOX = "1 0.5 0.5 0.5 0.2\n"


def found(root: Path) -> Dataset:
    dataset = find_yolo(root)
    assert dataset is not None
    return dataset


def test_splits_classes_and_boxes(tmp_path: Path) -> None:
    labels = {"train/a.jpg": BOX, "val/sub/b.jpg": "", "test/c.jpg": "-"}
    yolo(tmp_path, labels, train="images/train", val="images/val", test="./images/test")
    dataset = find_dataset(tmp_path)
    assert dataset.splits == {
        "train": ("images/train/a.jpg",),
        "val": ("images/val/sub/b.jpg",),
        "trainval": ("images/train/a.jpg", "images/val/sub/b.jpg"),
        "test": ("images/test/c.jpg",),
    }
    assert dataset.classes == ("cat", "dog")
    assert dataset.categories == {"cat": 0, "dog": 1}
    sample = dataset.read("images/train/a.jpg")
    assert sample.boxes.tolist() == [[10, 12, 30, 18]]  # of 40 × 30 pixels
    assert sample.labels.tolist() == [2]
    for image_id in ("images/val/sub/b.jpg", "images/test/c.jpg"):
        assert dataset.read(image_id).boxes.shape == (0, 4)
    assert str(dataset).startswith(f"YOLO data.yaml in {tmp_path}: 3 images")


@pytest.mark.parametrize(
    ("line", "box"),
    [
        ("1 0.5 0.5 0.5 0.2 0.93", [10, 12, 30, 18]),  # a score
        ("1 0.25 0.4 0.75 0.4 0.5 0.6", [10, 12, 30, 18]),  # an outline
        ("1.0\t0.5 0.5 5e-1 .2", [10, 12, 30, 18]),
    ],
)
def test_lines_of_other_kinds(tmp_path: Path, line: str, box: list[float]) -> None:
    yolo(tmp_path, {"a.jpg": line}, train="images")
    assert found(tmp_path).read("images/a.jpg").boxes.tolist() == [pytest.approx(box)]


def test_keypoints_follow_the_box(tmp_path: Path) -> None:
    line = "1 0.5 0.5 0.5 0.2 0 0 1 1 1 1"
    yolo(tmp_path, {"a.jpg": line}, train="images", kpt_shape=[3, 2])
    assert found(tmp_path).read("images/a.jpg").boxes.tolist() == [[10, 12, 30, 18]]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1 0.5 0.5 0.5", "line 2 is '1 0.5 0.5 0.5': a class and four numbers are needed"),
        ("2 0.5 0.5 0.5 0.5", "there is no class 2"),
        ("0.5 0.5 0.5 0.5 0.5", "there is no class 0.5"),
        ("dog 0.5 0.5 0.5 0.5", "'dog' is not a number"),
        ("1 nan 0.5 0.5 0.5", "'nan' is not a fraction of a side"),
        ("1 1e999 0.5 0.5 0.5", "'1e999' is not a fraction"),
        ("1 1e308 0.5 0.5 0.5", "'1e308' is not a fraction"),
        ("9" * 400 + " 0.5 0.5 0.5 0.5", "is not a fraction"),
        ("1 .5 .5 .5 .5 .5 .5 .5", "neither a box nor an outline"),
        ("1 0.5 0.5 0 0.5", "without area"),
        ("1 1.5 0.5 0.2 0.2", "outside its image"),
        ("1 300 200 50 50", "its box is in pixels, not in fractions of the sides"),
    ],
)
def test_a_bad_line_costs_its_image_only(tmp_path: Path, line: str, problem: str) -> None:
    yolo(tmp_path, {"a.jpg": f"{BOX}{line}\n", "b.jpg": BOX}, train="images")
    dataset = found(tmp_path)
    with pytest.raises(AnnotationError, match=problem) as caught:
        dataset.read("images/a.jpg")
    assert caught.value.file == str(tmp_path / "labels" / "a.txt")
    assert len(dataset.read("images/b.jpg").boxes) == 1


def test_every_bad_line_is_reported_at_once(tmp_path: Path) -> None:
    yolo(tmp_path, {"a.jpg": f"{BOX}\nx\n1 0.5 0.5 0 0.5\n2 0.5\n"}, train="images")
    with pytest.raises(AnnotationError) as caught:
        found(tmp_path).read("images/a.jpg")
    problems = [error.problem for error in (caught.value, *caught.value.others)]
    assert [line.split(" ", 2)[:2] for line in problems] == [
        *(["line", "3"], ["line", "5"], ["line", "4"])
    ]
    assert "(dog) has the box" in problems[-1]


def test_text_in_another_encoding(tmp_path: Path) -> None:
    yolo(tmp_path, {"a.jpg": BOX, "b.jpg": BOX}, train="images")
    for encoded in (BOX.encode("utf-16"), b"\xe9 0 0 0 0"):
        (tmp_path / "labels" / "a.txt").write_bytes(encoded)
        with pytest.raises(AnnotationError, match="cannot be read as text"):
            found(tmp_path).read("images/a.jpg")


def test_labels_beside_the_images(tmp_path: Path) -> None:
    write_image(tmp_path / "obj" / "a.jpg")
    (tmp_path / "obj" / "a.txt").write_text(BOX)
    (tmp_path / "data.yaml").write_text("train: obj\nnames:\n  3: dog\n  1: cat\n")
    with pytest.raises(DataError, match="class 1"):
        (tmp_path / "data.yaml").write_text("train: obj\nnames: {3: dog}\n")
        found(tmp_path).read("obj/a.jpg")
    (tmp_path / "data.yaml").write_text("train: obj\nnames: {3: dog, 1: no}\n")
    assert found(tmp_path).classes == ("no", "dog")  # YAML's "no" stays a name
    assert found(tmp_path).read("obj/a.jpg").labels.tolist() == [1]


def test_a_list_of_images(tmp_path: Path) -> None:
    yolo(tmp_path, {"a.jpg": BOX, "b.jpg": BOX}, train=["train.txt", "images"])
    (tmp_path / "train.txt").write_text(
        f"./images/b.jpg\n{tmp_path}/images/a.jpg\nimages/gone.jpg\n../../x.jpg\n/etc/x.jpg\n"
    )
    dataset = found(tmp_path)
    assert dataset.splits["train"] == (
        *("images/b.jpg", "images/a.jpg", "images/gone.jpg"),
        "x.jpg",
    )
    for image_id in dataset.ids[2:]:
        with pytest.raises(AnnotationError, match="has no image"):
            dataset.read(image_id)
    (note,) = dataset.notes
    assert "lists 1 images outside of" in str(note)
    assert "'/etc/x.jpg'" in str(note)


@pytest.mark.parametrize(
    "entry", ["../train/images", "train/images", "../../train/images", "images"]
)
def test_paths_of_exports(tmp_path: Path, entry: str) -> None:
    """Roboflow writes `../train/images`; Ultralytics has `path`, often of another machine."""
    root = tmp_path / "data"
    write_image(root / "train" / "images" / "a.jpg")
    (root / "train" / "labels").mkdir()
    (root / "train" / "labels" / "a.txt").write_text(BOX)
    path = "train" if entry == "images" else "/content/datasets/fruit"
    (root / "data.yaml").write_text(f"path: {path}\ntrain: {entry}\nnames: [cat, dog]\n")
    assert found(root).ids == ("train/images/a.jpg",)
    assert len(found(root).read("train/images/a.jpg").boxes) == 1


def test_nothing_outside_of_the_folder_is_read(tmp_path: Path) -> None:
    yolo(tmp_path / "secret", {"a.jpg": BOX}, train="images")
    root = yolo(tmp_path / "data", {"a.jpg": BOX}, train="images")
    for entry in ("../secret/images", f"{tmp_path}/secret/images", "images/../../secret/images"):
        yolo(root, {}, train=entry)
        with pytest.raises(DataError, match=r"which is not in .*; put the images beside"):
            found(root)


def test_one_folder_for_two_splits(tmp_path: Path) -> None:
    labels = {"train/a.jpg": BOX, "val/b.jpg": BOX}
    yolo(tmp_path, labels, train="images/train", val="images/train")
    assert list(found(tmp_path).splits) == ["train", "trainval"]
    yolo(tmp_path, labels, train="images/train", val="images/val", test="images/val")
    assert list(found(tmp_path).splits) == ["train", "trainval", "test"]
    assert found(tmp_path).splits["trainval"] == ("images/train/a.jpg",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("names: [a, b\ntrain: x", "is not YAML"),
        ("\x00", "is not YAML"),
        ("[" * 600, "is not YAML"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\ntrain: images", "no list of class names"),
        ("names: {a: b}\ntrain: images", "no list of class names"),
        ("names: []\ntrain: images", "no list of class names"),
        ("names: [a, b]\ntrain: {images: 1}", "has the entry"),
        ("names: [a, b]\ntrain: nowhere", "names 'nowhere', which is not in"),
        ("#" * (1 << 21), "more than 1,048,576 bytes"),
    ],
)
def test_a_damaged_yaml_is_refused_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    yolo(tmp_path, {"a.jpg": BOX})
    (tmp_path / "data.yaml").write_text(text)
    with pytest.raises(DataError, match=problem) as caught:
        found(tmp_path)
    assert caught.value.file == str(tmp_path / "data.yaml")
    assert "\n" not in str(caught.value)
    (tmp_path / "data.yaml").rename(tmp_path / "other.yaml")
    if "is not YAML" in str(caught.value):
        assert find_yolo(tmp_path) is None  # YAML of somebody else's


def test_no_label_file_at_all(tmp_path: Path) -> None:
    yolo(tmp_path, {"a.jpg": "-"}, train="images")
    with pytest.raises(DataError, match=r"lists 1 images, and none has a label file; put"):
        found(tmp_path)


def test_a_yaml_makes_no_objects(tmp_path: Path) -> None:
    yolo(tmp_path, {"a.jpg": BOX})
    tag = f"!!python/object/apply:os.mkdir ['{tmp_path}/made']"
    (tmp_path / "data.yaml").write_text(f"names: {tag}\ntrain: images\n")
    assert found(tmp_path).classes == (f"{tmp_path}/made",)  # the tag's list, and no call
    assert not (tmp_path / "made").exists()
