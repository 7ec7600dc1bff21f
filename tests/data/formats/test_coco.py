"""COCO JSON: where it is found, what is read, and what is wrong with it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.data.formats.coco_find import find_coco
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.errors import AnnotationError, DataError
from support.datasets import coco, write_image


def image(number: object, name: str) -> dict[str, Any]:
    return {"id": number, "file_name": name}


def dog(number: object, bbox: object, **more: Any) -> dict[str, Any]:
    return {"image_id": number, "category_id": 20, "bbox": bbox, **more}


def found(root: Path) -> Dataset:
    dataset = find_coco(root)
    assert dataset is not None
    return dataset


def one(tmp_path: Path, *annotations: dict[str, Any]) -> Dataset:
    """Image 7, of 40 × 30 pixels."""
    write_image(tmp_path / "images" / "a.jpg")
    coco(tmp_path / "annotations" / "instances.json", [image(7, "a.jpg")], annotations)
    return found(tmp_path)


def test_a_sample(tmp_path: Path) -> None:
    crowd = dog(7, [0, 0, 40, 30], iscrowd=1, id=3, area=5, segmentation={"counts": [1]})
    dataset = one(tmp_path, dog(7, [10, 5, 20.5, 10]), crowd)
    assert dataset.ids == ("7",)
    assert dataset.classes == ("cat", "dog")
    assert dataset.categories == {"cat": 10, "dog": 20}
    assert dataset.splits == {}
    assert dataset.notes == ()
    sample = dataset.read("7")
    assert sample.path == tmp_path / "images" / "a.jpg"
    assert sample.boxes.tolist() == [[10, 5, 30.5, 15], [0, 0, 40, 30]]
    assert sample.labels.tolist() == [2, 2]
    assert sample.difficult.tolist() == [False, True]
    assert dict(dataset.class_sets()) == {"7": frozenset({"dog"})}
    assert pickle.loads(pickle.dumps(dataset)).read("7").boxes.tolist() == sample.boxes.tolist()


def test_objects_in_any_order_find_their_images(tmp_path: Path) -> None:
    for name in ("a.jpg", "sub/b.jpg", "c.jpg"):
        write_image(tmp_path / name)
    coco(
        tmp_path / "labels.json",
        [image("x", "a.jpg"), image(2, "sub\\b.jpg"), image(3, "c.jpg")],
        [dog(3, [3, 0, 1, 1]), dog("x", [1, 0, 1, 1]), dog(3, [4, 0, 1, 1])],
    )
    dataset = find_dataset(tmp_path)
    assert dataset.ids == ("x", "2", "3")
    lefts = {i: [box[0] for box in dataset.read(i).boxes.tolist()] for i in dataset.ids}
    assert lefts == {"x": [1], "2": [], "3": [3, 4]}
    assert dataset.read("2").path == tmp_path / "sub" / "b.jpg"


def test_an_id_is_found_by_its_number_where_only_one_image_has_it(tmp_path: Path) -> None:
    names = {"007": "a.jpg", "08": "b.jpg", "8.0": "c.jpg", "": "d.jpg"}
    for name in names.values():
        write_image(tmp_path / name)
    images = [image(number, name) for number, name in names.items()]
    coco(tmp_path / "labels.json", images, [dog(7, [3, 0, 1, 1]), dog(8, [4, 0, 1, 1])])
    dataset = find_dataset(tmp_path)
    assert [len(dataset.read(i).boxes) for i in dataset.ids] == [1, 0, 0, 0]
    assert "has 1 annotation of an image that is not listed, such as 2 of image 8" in " ".join(
        map(str, dataset.notes)
    )


def test_the_layout_of_coco(tmp_path: Path) -> None:
    for split, number in (("val2017", 1), ("train2017", 2)):
        write_image(tmp_path / split / f"{number}.jpg")
        coco(
            tmp_path / "annotations" / f"instances_{split}.json",
            [image(number, f"{number}.jpg")],
            [dog(number, [1, 1, 5, 5])],
        )
        coco(tmp_path / "annotations" / f"person_keypoints_{split}.json", [], [])
    dataset = find_dataset(tmp_path)
    assert dataset.ids == ("train2017/2", "val2017/1")
    assert dataset.splits == {
        "train": ("train2017/2",),
        "val": ("val2017/1",),
        "trainval": ("train2017/2", "val2017/1"),
    }
    assert dataset.read("val2017/1").path == tmp_path / "val2017" / "1.jpg"
    assert str(dataset).startswith(f"COCO JSON in {tmp_path}: 2 images, splits: train 1")


def test_two_years_of_a_split_stay_apart(tmp_path: Path) -> None:
    for split in ("train2014", "train2017"):
        write_image(tmp_path / "images" / split / "1.jpg")
        path = tmp_path / "annotations" / f"instances_{split}.json"
        coco(path, [image(1, "1.jpg")], [dog(1, [1, 1, 5, 5])])
    assert find_dataset(tmp_path).splits == {
        "train2014": ("train2014/1",),
        "train2017": ("train2017/1",),
    }


def test_json_beside_the_images_of_each_split(tmp_path: Path) -> None:
    for folder in ("train", "valid", "test"):
        write_image(tmp_path / folder / f"{folder}.jpg")
        path = tmp_path / folder / "_annotations.coco.json"
        coco(path, [image(0, f"{folder}.jpg")], [dog(0, [1, 1, 5, 5])])
    dataset = find_dataset(tmp_path)
    assert dataset.splits == {
        "train": ("train/0",),
        "val": ("valid/0",),
        "trainval": ("train/0", "valid/0"),
        "test": ("test/0",),
    }
    assert dataset.read("valid/0").path == tmp_path / "valid" / "valid.jpg"


@pytest.mark.parametrize(
    "content",
    [
        '{"schema": "frcnn.detections/1", "images": [{"file": "a.jpg"}]}',
        '{"images": [], "other": 1}',
        '{"images": [{"id": 1, "file_name": "elsewhere.jpg"}], "categories": []}',
        '{"images": [',
        "[1, 2]",
    ],
)
def test_other_json_beside_images_is_left_alone(tmp_path: Path, content: str) -> None:
    write_image(tmp_path / "a.jpg")
    (tmp_path / "some.json").write_text(content)
    assert find_coco(tmp_path) is None


def test_images_elsewhere_are_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    coco(tmp_path / "annotations" / "instances_train.json", [image(1, "a.jpg")], [])
    with pytest.raises(DataError, match=r"none of its images, such as 'a.jpg', is in .*; put"):
        find_dataset(tmp_path)


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "C:\\x\\secret.jpg", "\0"])
def test_nothing_outside_of_the_folder_is_read(tmp_path: Path, name: str) -> None:
    write_image(tmp_path / "secret.jpg")
    root = tmp_path / "data"
    write_image(root / "images" / "a.jpg")
    coco(
        root / "annotations" / "instances.json",
        [image(1, "a.jpg"), image(2, name), image(3, f"{tmp_path}/secret.jpg")],
        [],
    )
    for number in "23":
        with pytest.raises(AnnotationError, match="has no file for image"):
            found(root).read(number)
    write_image(root / "images" / "secret.jpg")
    assert found(root).read("3").path == root / "images" / "secret.jpg"


@pytest.mark.parametrize(
    ("annotation", "problem"),
    [
        (dog(7, [1, 1, 2]), "of length >= 4"),
        (dog(7, [1, 1, "x", 2]), r"expected `float`, got `str` - at `\$.bbox\[2\]`"),
        (dog(7, [1, 1, float("nan"), 2]), "expected `float`, got `null`"),
        (dog(7, [1, 1, float("inf"), 2]), "expected `float`, got `null`"),
        (dog(7, [1, 1, 1e308, 2]), "has the bbox"),
        (dog(7, [1, 1, 10**400, 2]), "number out of range"),
        (dog(7, None), "expected `array`, got `null`"),
        ({"image_id": 7, "category_id": 20}, "missing required field `bbox`"),
        (dog(7, [1, 1, 2, 2]) | {"category_id": 99}, "of the unknown category 99"),
        (dog(7, [1, 1, 0, 5]), r"\(1, 1, 1, 6\) without area"),
        (dog(7, [1, 1, -5, 5]), "without area"),
        (dog(7, [50, 1, 5, 5]), "outside its image of 40 x 30 pixels"),
    ],
)
def test_a_bad_annotation_costs_its_image_only(
    tmp_path: Path, annotation: dict[str, Any], problem: str
) -> None:
    write_image(tmp_path / "images" / "b.jpg")
    path = tmp_path / "annotations" / "instances.json"
    write_image(tmp_path / "images" / "a.jpg")
    good = dog(8, [1, 1, 5, 5])
    coco(path, [image(7, "a.jpg"), image(8, "b.jpg")], [annotation, good])
    dataset = found(tmp_path).with_splits({"all": ("7", "8")})
    problems: list[Problem] = []
    assert [sample.image_id for sample in dataset.samples("all", problems.append)] == ["8"]
    (reported,) = problems
    with pytest.raises(AnnotationError, match=problem) as caught:
        raise reported.error
    assert caught.value.file == str(path)
    assert "\n" not in str(caught.value)


def test_all_that_is_wrong_with_an_image_is_reported_at_once(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.jpg")
    annotations = [dog(7, [1, 1, 5, 5]), dog(7, [1, 1]), dog(7, [50, 1, 5, 5]), dog(7, None)]
    images = [image(7, "a.jpg")]
    coco(tmp_path / "annotations" / "instances.json", images, annotations)
    with pytest.raises(AnnotationError) as caught:
        found(tmp_path).read("7")
    errors = [caught.value, *caught.value.others]
    assert [error.problem.split(":")[0].split(" (")[0] for error in errors] == [
        *("annotation 2", "annotation 4", "annotation 3")
    ]
    coco(tmp_path / "annotations" / "instances.json", images, [dog(7, [1, 1])] * 10_000)
    with pytest.raises(AnnotationError) as caught:
        found(tmp_path).read("7")
    assert len(caught.value.others) == 50
    assert caught.value.others[-1].problem == "has more wrong objects for the same image"


def test_what_belongs_to_no_image_is_noted(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.jpg")
    path = tmp_path / "annotations" / "instances.json"
    images = [image(7, "a.jpg"), image(7, "b.jpg"), {"id": 9}, "no object"]
    coco(path, images, [dog(1, [1, 1, 2, 2]), dog(2, [1, 1, 2, 2]), {}], ["cat", " "])
    dataset = found(tmp_path)
    assert dataset.ids == ("7", "7#2")
    assert [note.problem for note in dataset.notes] == [
        "has 1 category without a name or a whole number, such as 20",
        "has 1 image with the id of another, such as 7 ('b.jpg')",
        "has 1 image without a file name, such as 9",
        "has 1 image that cannot be read, such as number 4 (expected `object`, got `str`)",
        "has 2 annotations of an image that is not listed, such as 1 of image 1",
        "has 1 annotation that cannot be read, such as 3 (object missing required field "
        "`image_id`)",
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'{"images": [' + b"[" * 100_000,
        b'{"images": [],',
        b'{"images": [{"id": 1, "file_name": "\xe9"}], "categories": {}}',
        b'{"images": [], "categories": "none"}',
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "annotations").mkdir()
    path = tmp_path / "annotations" / "instances_train.json"
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match="is not COCO JSON") as caught:
        find_dataset(tmp_path)
    assert caught.value.file == str(path)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # with a byte order mark
def test_encodings(tmp_path: Path, encoding: str) -> None:
    one(tmp_path, dog(7, [10, 5, 20, 10]))
    path = tmp_path / "annotations" / "instances.json"
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    assert found(tmp_path).read("7").boxes.tolist() == [[10, 5, 30, 15]]


def test_classes_of_several_files_are_joined(tmp_path: Path) -> None:
    write_image(tmp_path / "train" / "a.jpg")
    write_image(tmp_path / "test" / "a.jpg")
    coco(tmp_path / "train" / "c.json", [image(1, "a.jpg")], [], ["cat", "dog"])
    coco(tmp_path / "test" / "c.json", [image(1, "a.jpg")], [dog(1, [1, 1, 5, 5])], ["bird", "cat"])
    dataset = find_dataset(tmp_path)
    assert dataset.classes == ("bird", "cat", "dog")
    assert dataset.read("test/1").labels.tolist() == [2]  # its 20 is the cat
    assert ["'cat' has the ids 10 and 20" in str(note) for note in dataset.notes] == [True]
    assert json.dumps(dataset.categories)
