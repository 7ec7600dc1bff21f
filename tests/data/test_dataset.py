from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.data.dataset import Dataset, Problem
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.errors import AnnotationError, DataError, ImageError
from support.datasets import Box, pair, write_image, xml


def with_box(folder: Path, *boxes: Box) -> Dataset:
    """A data set of one image, 40 × 30, with dogs in `boxes` (VOC's own numbers)."""
    write_image(folder / "a.jpg", (40, 30))
    xml(folder / "a.xml", [("dog", box) for box in boxes])
    return find_dataset(folder)


def test_a_sample(tmp_path: Path) -> None:
    sample = with_box(tmp_path, (1, 1, 40, 30)).read("a")
    assert sample.image_id == "a"
    assert sample.path == tmp_path / "a.jpg"
    assert sample.boxes.tolist() == [[0, 0, 40, 30]]
    assert sample.boxes.dtype == np.float32
    assert sample.labels.tolist() == [1]
    assert sample.labels.dtype == np.int64
    assert sample.difficult.tolist() == [False]


def test_an_image_without_objects(tmp_path: Path) -> None:
    pair(tmp_path, "b", "dog")
    sample = with_box(tmp_path).read("a")
    assert sample.boxes.shape == (0, 4)
    assert sample.labels.shape == sample.difficult.shape == (0,)


@pytest.mark.parametrize(
    ("box", "inside", "mentioned"),
    [
        ((0, 0, 10, 10), [0, 0, 10, 10], False),  # counted from 0: an edge at -1
        ((1, 1, 41, 31), [0, 0, 40, 30], False),
        ((1, 1, 41.5, 30), [0, 0, 40, 30], True),
        ((-5, 11, 20, 20), [0, 10, 20, 20], True),
        ((-9, -4, 40, 30), [0, 0, 40, 30], True),
    ],
)
def test_boxes_are_clipped(tmp_path: Path, box: Box, inside: list[float], mentioned: bool) -> None:
    dataset, problems = with_box(tmp_path, box), []
    assert dataset.read("a", problems.append).boxes.tolist() == [inside]
    assert dataset.read("a").boxes.tolist() == [inside]
    assert len(problems) == mentioned
    for problem in problems:
        assert (problem.image_id, problem.dropped) == ("a", False)
        assert str(problem.error).startswith(f"{tmp_path / 'a.xml'}: object 1 (dog) has the box")
        assert "leaves its image of 40 x 30 pixels; it is clipped" in str(problem.error)


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((10, 10, 9, 20), "(9, 9, 9, 20) without area"),
        ((20, 10, 5, 20), "(19, 9, 5, 20) without area"),
        ((41, 1, 60, 20), "(40, 0, 60, 20) outside its image of 40 x 30 pixels"),
        ((-100, -100, 500, 500), "(-101, -101, 500, 500) mostly outside its image of 40 x 30"),
        ((-9, -9, 0, 0), "(-10, -10, 0, 0) outside its image of 40 x 30 pixels"),
    ],
)
def test_boxes_that_are_refused(tmp_path: Path, box: Box, problem: str) -> None:
    dataset = with_box(tmp_path, (1, 1, 5, 5), box)
    with pytest.raises(AnnotationError) as caught:
        dataset.read("a")
    start = f"{tmp_path / 'a.xml'}: object 2 (dog) has the box {problem}"
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith("; fix or remove the object")


def test_all_that_is_wrong_with_an_image_is_reported_at_once(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", (40, 30))
    objects = [
        *(("dog", (9, 9, 2, 2)), ("cow", (1, 1, "x", 5)), ("cow", (1, 1, 5, 5))),
        *(("dog", (1, 1, 41.9, 5)), ("dog", (60, 1, 70, 5))),
    ]
    xml(tmp_path / "a.xml", objects)
    dataset = find_dataset(tmp_path).with_classes(("dog",)).with_splits({"train": ("a",)})
    problems: list[Problem] = []
    assert list(dataset.samples("train", problems.append)) == []
    (problem,) = problems  # clipping object 4 is not worth a word where all is left out
    starts = [
        "object 2 (cow) has xmax 'x'",
        "object 3 is of the unknown class 'cow'",
        "object 1 (dog) has the box (8, 8, 2, 2) without area",
        "object 5 (dog) has the box (59, 0, 70, 5) outside",
    ]
    assert len(problem.errors) == len(starts)
    for error, start in zip(problem.errors, starts, strict=True):
        assert error.problem.startswith(start)
        assert error.file == str(tmp_path / "a.xml")
    again = pickle.loads(pickle.dumps(problem.error))
    assert [str(each) for each in again.others] == [str(each) for each in problem.errors[1:]]
    (tmp_path / "a.jpg").write_text("no image")
    with pytest.raises(ImageError) as caught:
        dataset.read("a")
    assert [each.problem for each in caught.value.others] == [e.problem for e in problem.errors[:2]]


def test_problems_of_one_image_are_limited(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg")
    xml(tmp_path / "a.xml", [("dog", (9, 9, 2, 2))] * 51)
    with pytest.raises(AnnotationError) as caught:
        find_dataset(tmp_path).read("a")
    assert len(caught.value.others) == 50
    assert caught.value.others[-1].problem == "has more wrong objects for the same image"
    xml(tmp_path / "a.xml", [("dog", (9, 9, 2, 2))] * 50)
    with pytest.raises(AnnotationError) as caught:
        find_dataset(tmp_path).read("a")
    assert "object 50" in str(caught.value.others[-1])


def broken(folder: Path) -> Dataset:
    """Good images a and z; between them, one of each kind that cannot be used."""
    for stem in "az":
        pair(folder, stem, "dog")
    (folder / "b.jpg").write_text("text")
    xml(folder / "b.xml")
    write_image(folder / "c.jpg")
    (folder / "c.xml").write_text("<annotation>")
    xml(folder / "d.xml")
    write_image(folder / "e.jpg")
    xml(folder / "e.xml", [("dog", (9, 9, 2, 2))])
    return find_dataset(folder).with_splits({"train": ("a", "b", "c", "d", "e", "z")})


def test_good_images_are_read_and_bad_ones_are_listed(tmp_path: Path) -> None:
    problems: list[Problem] = []
    samples = list(broken(tmp_path).samples("train", problems.append))
    assert [sample.image_id for sample in samples] == ["a", "z"]
    assert [problem.image_id for problem in problems] == ["b", "c", "d", "e"]
    assert all(problem.dropped for problem in problems)
    kinds = [type(problem.error) for problem in problems]
    assert kinds == [ImageError, AnnotationError, AnnotationError, AnnotationError]


def test_without_a_report_the_first_bad_one_stops(tmp_path: Path) -> None:
    samples = broken(tmp_path).samples("train")
    assert next(samples).image_id == "a"
    with pytest.raises(ImageError):
        next(samples)


def test_classes_are_found_past_bad_files(tmp_path: Path) -> None:
    dataset = broken(tmp_path)
    assert dataset.classes == ("dog",)
    assert dict(dataset.class_sets())["c"] == frozenset()


def test_classes_are_sorted_or_given(tmp_path: Path) -> None:
    pair(tmp_path, "a", "dog", "bird", "cat")
    dataset = find_dataset(tmp_path)
    assert dataset.classes == ("bird", "cat", "dog")
    assert dataset.read("a").labels.tolist() == [3, 1, 2]
    assert dataset.with_classes(("dog", "cat", "bird")).read("a").labels.tolist() == [1, 3, 2]
    with pytest.raises(AnnotationError, match="object 2 is of the unknown class 'bird'; known are"):
        dataset.with_classes(("cat", "dog")).read("a")


def test_no_object_at_all(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no annotated object"):
        _ = with_box(tmp_path).classes


def test_a_split_that_is_not_there(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a", "dog")
    with pytest.raises(DataError, match="has no split 'test'; use one of train, trainval"):
        find_dataset(tmp_path).split("test")
    with pytest.raises(DataError, match="has no split 'test'; it has no splits"):
        find_dataset(tmp_path / "train").split("test")


def test_it_crosses_to_worker_processes(tmp_path: Path) -> None:
    pair(tmp_path, "a", "dog")
    dataset = find_dataset(tmp_path)
    assert dataset.classes == pickle.loads(pickle.dumps(dataset)).classes
    problem = Problem("a", AnnotationError("is odd", remedy="fix it", file="a.xml"), dropped=True)
    assert str(pickle.loads(pickle.dumps(problem)).error) == "a.xml: is odd; fix it"


def test_one_line_describes_what_was_found(tmp_path: Path) -> None:
    pair(tmp_path / "train", "a", "dog")
    assert str(find_dataset(tmp_path)) == (
        f"images beside VOC XML in {tmp_path}: 1 image, splits: train 1, trainval 1"
    )
    assert str(find_dataset(tmp_path / "train")).endswith("1 image, no splits")
