"""The image that a name in a file means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.data.lookup import SampleFinder
from frcnn_cli.errors import DataError
from frcnn_cli.records import Sample, as_boxes

NOTHING = (as_boxes([]), np.zeros(0, np.int64), np.zeros(0, np.bool_))


@pytest.fixture
def finder():
    paths = {"000012": "voc/000012.jpg", "one": "data/a/1.jpg", "two": "data/b/1.jpg"}
    return SampleFinder([Sample(key, Path(path), *NOTHING) for key, path in paths.items()])


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("000012", "000012"),
        ("000012.jpg", "000012"),
        ("b/1", "two"),
        ("/elsewhere/000012.jpg", "000012"),
        ("a/1.jpg", "one"),
        ("/copy/b/1.jpg", "two"),
    ],
)
def test_an_image_is_found_by_id_or_path(finder, name, image_id):
    assert finder.find(name) == image_id


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("000013.jpg", "is not in the split"),
        ("1.jpg", "could be 'one' or 'two'"),
        ("000012.png", "is not in the split"),
        ("", "is not"),
    ],
)
def test_an_image_that_is_unclear_is_refused(finder, name, message):
    with pytest.raises(DataError, match=message):
        finder.find(name)


def test_a_number_is_the_file_names_or_the_data_sets_own():
    sample = Sample("train/000012", Path("voc/000012.jpg"), *NOTHING)
    assert SampleFinder([sample]).find_number(12) == "train/000012"
    assert SampleFinder([sample]).find_number("000012") == "train/000012"
    own = SampleFinder([sample], {7: "train/000012", 12: "train/other"})
    assert own.find_number(7) == "train/000012"
    with pytest.raises(DataError, match="image_id 12 is not in the split"):
        own.find_number(12)


def test_a_number_that_two_images_have_is_refused(finder):
    with pytest.raises(DataError, match="image_id 1 could be 'one' or 'two'"):
        finder.find_number(1)
