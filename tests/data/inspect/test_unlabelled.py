"""Images that count as annotated, by format."""

from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.data.inspect.unlabelled import unlabelled_images
from frcnn_cli.errors import DataError, ImageError
from support.datasets import coco, pair, write_image, year, yolo

LINE = "0 0.5 0.5 0.5 0.5\n"


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in unlabelled_images(folder)]


def test_of_a_folder_with_some_xml_the_others(tmp_path: Path) -> None:
    pair(tmp_path / "pets", "a", "dog")
    pair(tmp_path / "pets", "background")  # XML without an object is an annotation
    write_image(tmp_path / "pets/b.jpg")
    write_image(tmp_path / "new/c.png")
    assert names(tmp_path) == ["new/c.png", "pets/b.jpg"]


def test_of_a_year_folder_those_without_xml_whatever_the_lists_say(tmp_path: Path) -> None:
    year(tmp_path, ["1", "2"], {"train": ["1", "3"]})
    write_image(tmp_path / "JPEGImages/3.jpg")
    write_image(tmp_path / "SegmentationClass/1.png")  # not an image to annotate
    assert names(tmp_path) == ["JPEGImages/3.jpg"]


def test_of_yolo_those_without_a_text_file(tmp_path: Path) -> None:
    """Listed or not: an image in no split may be annotated too."""
    yolo(tmp_path, {"a.jpg": LINE, "background.jpg": "", "b.jpg": "-"}, train="list.txt")
    (tmp_path / "list.txt").write_text("images/a.jpg\n")
    assert names(tmp_path) == ["images/b.jpg"]


def test_of_coco_those_that_are_not_listed(tmp_path: Path) -> None:
    images = [{"id": i, "file_name": f"{name}.jpg"} for i, name in enumerate("ab")]
    for name in "abc":
        write_image(tmp_path / f"images/{name}.jpg")
    boxes = [{"id": 1, "image_id": 0, "category_id": 10, "bbox": [1, 1, 20, 20]}]
    coco(tmp_path / "annotations.json", images, boxes)
    assert names(tmp_path) == ["images/c.jpg"]


def test_of_a_folder_without_annotations_all(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b/c.jpg")
    assert names(tmp_path) == ["a.jpg", "b/c.jpg"]


def test_an_annotation_outside_of_the_data_set_counts(tmp_path: Path) -> None:
    """Another folder of XML, and YOLO text whose classes no file names."""
    for folder, name in (("one", "a"), ("two", "b")):
        pair(tmp_path / folder, name, "dog")
    year(tmp_path / "three", ["5"])
    yolo(tmp_path / "yolo", {"c.jpg": LINE, "d.jpg": "-"})
    (tmp_path / "yolo/data.yaml").unlink()
    write_image(tmp_path / "two/e.jpg")
    assert names(tmp_path / "yolo") == ["images/d.jpg"]
    assert names(tmp_path) == ["two/e.jpg", "yolo/images/d.jpg"]


def test_folders_that_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no images"):
        unlabelled_images(tmp_path)
    write_image(tmp_path / "a.jpg")
    (tmp_path / "data.yaml").write_text("names: [cat]\ntrain: gone\n")
    with pytest.raises(DataError, match=r"data\.yaml"):
        unlabelled_images(tmp_path)  # annotations that cannot be used are not none
    with pytest.raises(ImageError, match="does not exist"):
        unlabelled_images(tmp_path / "gone")
