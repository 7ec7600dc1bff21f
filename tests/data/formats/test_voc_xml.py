from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.data.formats.layout import bare_name
from frcnn_cli.data.formats.voc_xml import read_annotation, read_names, write_annotation
from frcnn_cli.errors import AnnotationError
from support.datasets import xml


def test_one_based_inclusive_becomes_edges(tmp_path: Path) -> None:
    path = xml(tmp_path / "a.xml", [("dog", (48, 240, 195, 371)), ("cat", (1, 1, 1, 1))], "a.jpg")
    annotation = read_annotation(path, Path)
    assert annotation.path == Path("a.jpg")
    assert annotation.names == ("dog", "cat")
    # 195 - 48 + 1 = 148 columns and 371 - 240 + 1 = 132 rows, as the devkit counts.
    np.testing.assert_array_equal(annotation.boxes, [[47, 239, 195, 371], [0, 0, 1, 1]])
    assert annotation.boxes.dtype == np.float32
    assert annotation.difficult.tolist() == [False, False]
    assert read_names(path) == ("dog", "cat")


def test_floats_spaces_and_difficult(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(
        "<annotation><object><name> traffic\n light </name><difficult> 1 </difficult>"
        "<bndbox><ymax>9.25</ymax><xmin> 2.5 </xmin><ymin>1e0</ymin><xmax>8</xmax></bndbox>"
        "<part><name>lamp</name></part></object></annotation>"
    )
    annotation = read_annotation(path, Path)
    assert annotation.names == ("traffic light",)
    np.testing.assert_array_equal(annotation.boxes, [[1.5, 0, 8, 9.25]])
    assert annotation.difficult.tolist() == [True]
    assert annotation.path == Path()


def test_no_objects(tmp_path: Path) -> None:
    annotation = read_annotation(xml(tmp_path / "a.xml"), Path)
    assert annotation.boxes.shape == (0, 4)
    assert annotation.difficult.shape == (0,)
    assert annotation.names == ()


@pytest.mark.parametrize(
    "name", ["C:\\data\\a.jpg", "/home/x/a.jpg", "../../a.jpg", "..\\a.jpg", " a.jpg ", "a.jpg"]
)
def test_folders_in_a_filename_are_ignored(name: str) -> None:
    assert bare_name(name) == "a.jpg"


@pytest.mark.parametrize("value", ["nan", "inf", "-1e9", "", "wide", "1,5"])
def test_coordinates_that_are_not_pixels(tmp_path: Path, value: str) -> None:
    path = xml(tmp_path / "a.xml", [("dog", (1, 1, 5, 5)), ("cat", (value, 1, 5, 5))])
    annotation = read_annotation(path, Path)
    assert annotation.names == ("dog",)
    (fault,) = annotation.faults
    assert str(fault).startswith(f"{path}: object 2 (cat) has xmin {value!r}; give it")


def test_every_bad_object_is_reported_with_all_its_values(tmp_path: Path) -> None:
    objects = [("dog", ("", 1, 5, "nan")), ("", (1, 1, 5, 5)), ("cat", (1, 2, 5, 6))]
    annotation = read_annotation(xml(tmp_path / "a.xml", objects), Path)
    assert [fault.problem for fault in annotation.faults] == [
        "object 1 (dog) has xmin '', ymax 'nan'",
        "object 2 has no <name>",
    ]
    assert (annotation.names, annotation.places) == (("cat",), ("object 3",))
    assert annotation.boxes.tolist() == [[0, 1, 5, 6]]
    assert annotation.difficult.tolist() == [False]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not XML"),
        ("<annotation><object>", "is not XML"),
        ("<html></html>", "its root is <html>"),
        ('<?xml version="1.0" encoding="no-such"?><annotation/>', "is not XML"),
        (
            '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><annotation>&d;</annotation>',
            "declares XML entities",
        ),
        (
            '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>',
            "declares XML entities",
        ),
    ],
)
def test_files_that_are_not_voc_xml(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(AnnotationError) as caught:
        read_annotation(path, Path)
    assert problem in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<bndbox/>", "object 1 has no <name>"),
        ("<name>a</name>", "object 1 (a) has no <bndbox>"),
        (
            "<name>a</name><bndbox><xmin>1</xmin></bndbox>",
            "object 1 (a) has ymin '', xmax '', ymax ''",
        ),
    ],
)
def test_objects_that_lack_something(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<annotation><object>{content}</object></annotation>")
    (fault,) = read_annotation(path, Path).faults
    assert fault.problem == problem
    assert fault.file == str(path)
    assert fault.remedy


def test_missing_file_and_wrong_bytes(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="cannot be read"):
        read_annotation(tmp_path / "none.xml", Path)
    (tmp_path / "a.xml").write_bytes(b"\xff\xfe\x00annotation")
    with pytest.raises(AnnotationError, match="is not XML"):
        read_annotation(tmp_path / "a.xml", Path)


def test_a_name_that_xml_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    with pytest.raises(AnnotationError, match="control characters"):
        write_annotation(path, filename="a\x01.jpg", size=(4, 4), names=[], boxes=[])
    assert list(tmp_path.iterdir()) == []


# A 64th of a pixel is exact in float32 up to here.
edges = st.integers(min_value=0, max_value=2**20).map(lambda n: n / 64)
words = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\:"), min_size=1, max_size=20
)
objects = st.lists(st.tuples(words, st.tuples(edges, edges, edges, edges), st.booleans()))


@given(filename=words, items=objects)
def test_what_is_written_loads_back_equal(
    filename: str, items: list[tuple[str, tuple[float, ...], bool]]
) -> None:
    names, boxes, flags = [i[0] for i in items], [i[1] for i in items], [i[2] for i in items]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.xml"
        write_annotation(
            path, filename=filename, size=(9, 9), names=names, boxes=boxes, difficult=flags
        )
        annotation = read_annotation(path, Path)
        assert read_names(path) == tuple(names)
    assert annotation.path == Path(filename)
    assert annotation.names == tuple(names)
    assert annotation.boxes.tolist() == [list(box) for box in boxes]
    assert annotation.difficult.tolist() == flags
