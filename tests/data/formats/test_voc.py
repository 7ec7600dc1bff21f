from __future__ import annotations

from pathlib import Path

import pytest

from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.voc_find import find_beside, find_devkit, find_year
from frcnn_cli.errors import AnnotationError, DataError
from support.datasets import pair, write_image, xml, year


def found(dataset: Dataset | None) -> Dataset:
    assert dataset is not None
    return dataset


def test_year_folder(tmp_path: Path) -> None:
    lists = {"train": ["b"], "val": ["a"], "test": ["c"], "dog_train": ["a  1", "b -1", "c  0"]}
    dataset = found(find_year(year(tmp_path, "abc", lists)))
    assert dataset.splits == {
        "train": ("b",),
        "val": ("a",),
        "trainval": ("b", "a"),
        "test": ("c",),
    }
    assert sorted(dataset.ids) == ["a", "b", "c"]
    assert dataset.read("b").path == tmp_path / "JPEGImages" / "b.jpg"


def test_year_folder_without_lists_has_no_splits(tmp_path: Path) -> None:
    dataset = found(find_year(year(tmp_path, "cab")))
    assert dataset.ids == ("a", "b", "c")
    assert dataset.splits == {}


def test_a_list_that_exists_is_not_made_up(tmp_path: Path) -> None:
    dataset = found(find_year(year(tmp_path, "abc", {"train": "a", "val": "b", "trainval": "ac"})))
    assert dataset.splits["trainval"] == ("a", "c")


def test_list_entries(tmp_path: Path) -> None:
    root = year(tmp_path, ["a", "v1.2", "two words"])
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\ufeffa.jpg\r\n\r\nv1.2\r\ntwo words\r\na\r\n", "utf-8")
    (lists / "val.txt").write_text("")
    assert found(find_year(root)).splits["train"] == ("a", "v1.2", "two words")
    assert "val" not in found(find_year(root)).splits
    (lists / "val.txt").write_text("../../secret\n")
    with pytest.raises(DataError, match=r"val\.txt: lists '../../secret', which is a path"):
        find_year(root)
    (lists / "val.txt").write_bytes(b"\xff\xfe\xfd\n")
    with pytest.raises(DataError, match="UTF-8"):
        find_year(root)


def test_listed_but_not_annotated(tmp_path: Path) -> None:
    dataset = found(find_year(year(tmp_path, "a", {"train": ["a", "ghost"]})))
    with pytest.raises(AnnotationError, match=r"ghost\.xml: cannot be read"):
        dataset.read("ghost")


def test_images_and_annotations_by_their_plain_names(tmp_path: Path) -> None:
    write_image(tmp_path / "images" / "a.png")
    xml(tmp_path / "annotations" / "a.xml")
    assert found(find_year(tmp_path)).read("a").path == tmp_path / "images" / "a.png"


def test_devkit_of_one_year_keeps_its_ids(tmp_path: Path) -> None:
    year(tmp_path / "VOC2007", "ab", {"trainval": "a", "test": "b"})
    dataset = found(find_devkit(tmp_path))
    assert dataset.splits == {"trainval": ("a",), "test": ("b",)}


def test_devkit_joins_its_years(tmp_path: Path) -> None:
    year(tmp_path / "VOC2007", "ab", {"trainval": "a", "test": "b"})
    year(tmp_path / "VOC2012", "ac", {"trainval": "ac"})
    dataset = found(find_devkit(tmp_path))
    both = ("VOC2007/a", "VOC2012/a", "VOC2012/c")
    assert dataset.splits == {
        "trainval": both,
        "test": ("VOC2007/b",),
        "trainval2007": both[:1],
        "test2007": ("VOC2007/b",),
        "trainval2012": both[1:],
        "07+12": both,
    }
    assert dataset.notes == ()
    sample = dataset.read("VOC2012/a")
    assert sample.image_id == "VOC2012/a"
    assert sample.path == tmp_path / "VOC2012" / "JPEGImages" / "a.jpg"
    assert "VOC2007, VOC2012" in str(dataset)


def test_a_list_without_annotations_is_noted_and_not_used(tmp_path: Path) -> None:
    """The test list of VOC2012, whose annotations nobody has."""
    year(tmp_path / "VOC2007", "ab", {"trainval": "a", "test": "b"})
    year(tmp_path / "VOC2012", "a", {"trainval": "a", "test": "xyz"})
    dataset = found(find_devkit(tmp_path))
    assert dataset.split("test") == ("VOC2007/b",)
    assert "test2012" not in dataset.splits
    (note,) = dataset.notes
    assert "VOC2012/ImageSets/Main/test.txt: lists no annotated image" in str(note)


def test_names_that_end_like_a_list_of_one_class(tmp_path: Path) -> None:
    year(tmp_path, ["photo 1", "photo 2"], {"test": ["photo 1", "photo 2"]})
    (tmp_path / "ImageSets" / "Main" / "dog_test.txt").write_text("photo 1  1\nphoto 2 -1\n")
    dataset = found(find_year(tmp_path))
    assert dataset.splits == {"test": ("photo 1", "photo 2")}
    assert dataset.read("photo 1").boxes.tolist() == [[0, 0, 20, 20]]


def test_flat_folder(tmp_path: Path) -> None:
    pair(tmp_path, "b", "dog")
    pair(tmp_path, "a", "cat", "dog")
    write_image(tmp_path / "not-annotated.jpg")
    dataset = found(find_beside(tmp_path))
    assert dataset.ids == ("a", "b")
    assert dataset.splits == {}
    assert dataset.classes == ("cat", "dog")
    assert dataset.read("a").labels.tolist() == [1, 2]


def test_split_folders(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a", "dog")
    pair(tmp_path / "valid", "a", "dog")
    pair(tmp_path / "Test", "b", "dog")
    pair(tmp_path / "other", "c", "dog")
    assert found(find_beside(tmp_path)).splits == {
        "train": ("train/a",),
        "val": ("valid/a",),
        "trainval": ("train/a", "valid/a"),
        "test": ("Test/b",),
    }


def test_trainval_is_train_where_there_is_no_val(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a", "dog")
    assert found(find_beside(tmp_path)).splits["trainval"] == ("train/a",)


def test_xml_of_something_else_is_not_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "pom.xml").write_text("<project/>")
    write_image(tmp_path / "logo.png")
    assert find_devkit(tmp_path) is find_year(tmp_path) is find_beside(tmp_path) is None


def test_the_filename_decides_where_it_names_a_file(tmp_path: Path) -> None:
    write_image(tmp_path / "a.JPG")
    xml(tmp_path / "a.xml", filename="old-name.jpg")
    assert found(find_beside(tmp_path)).read("a").path == tmp_path / "a.JPG"
    write_image(tmp_path / "old-name.jpg")
    assert found(find_beside(tmp_path)).read("a").path == tmp_path / "old-name.jpg"


def test_or_the_name_that_its_xml_gives(tmp_path: Path) -> None:
    pair(tmp_path, "a")
    write_image(tmp_path / "other.jpg")
    xml(tmp_path / "b.xml", filename="..\\somewhere\\other.jpg")
    assert found(find_beside(tmp_path)).read("b").path == tmp_path / "other.jpg"


@pytest.mark.parametrize("filename", ["../secret.jpg", "..", ".", "", "x" * 5000, "gone.jpg"])
def test_annotation_without_image(tmp_path: Path, filename: str) -> None:
    write_image(tmp_path / "secret.jpg")
    pair(tmp_path / "d", "a")
    path = xml(tmp_path / "d" / "orphan.xml", filename=filename)
    with pytest.raises(AnnotationError) as caught:
        found(find_beside(tmp_path / "d")).read("orphan")
    assert str(caught.value).startswith(f"{path}: has no image: neither 'orphan'")
