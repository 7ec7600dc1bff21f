"""Which photograph a name in a file means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.errors import DataError
from frcnn_cli.evaluation.photographs import PhotographFinder
from frcnn_cli.records import Sample, as_boxes

NOTHING = (as_boxes([]), np.zeros(0, np.int64), np.zeros(0, np.bool_))


@pytest.fixture
def finder():
    paths = {"000012": "voc/000012.jpg", "one": "data/a/1.jpg", "two": "data/b/1.jpg"}
    return PhotographFinder([Sample(key, Path(path), *NOTHING) for key, path in paths.items()])


@pytest.mark.parametrize(
    ("name", "image_id"),
    [
        ("000012", "000012"),
        ("000012.jpg", "000012"),
        ("/elsewhere/000012.jpg", "000012"),
        ("a/1.jpg", "one"),
        ("/copy/b/1.jpg", "two"),
    ],
)
def test_a_photograph_is_found_by_id_or_path(finder, name, image_id):
    assert finder.find(name) == image_id


@pytest.mark.parametrize(
    ("name", "told"),
    [("000013.jpg", "is not in the split"), ("1.jpg", "could be 'one' or 'two'"), ("", "is not")],
)
def test_a_photograph_that_is_unclear_is_refused(finder, name, told):
    with pytest.raises(DataError, match=told):
        finder.find(name)
