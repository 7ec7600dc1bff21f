"""The boxes are OpenCV's: odd sizes, hard pictures, images."""

from __future__ import annotations

import matplotlib.cbook
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.proposals import fast, opencv
from frcnn_cli.proposals.fast.engine import find_regions
from frcnn_cli.proposals.search import search
from frcnn_cli.proposals.service import ensure_proposals
from support.images import KINDS, patterned

pytestmark = pytest.mark.slow  # the first call compiles

PRESETS = ("fast", "quality", "single", "paper")
SIZES = [(1, 1), (1, 50), (2, 300), (140, 40), (20, 120), (61, 83)]
"""Height and width; beyond 1 to 2.4, textures are cropped at a corner."""
LONG = [(2, 5000), (5000, 2)]
"""Regions in a row, equally alike where there are two colours: OpenCV's slowest picture."""


@pytest.fixture(autouse=True, scope="module")
def _small_boxes_count_too():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opencv, "PAPER_MIN_SIDE", 1)
        yield


def assert_same_boxes(image, preset):
    ours, theirs = (np.unique(each.search(image, preset), axis=0) for each in (fast, opencv))
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", PRESETS)
def test_boxes_are_opencvs(preset, kind, size):
    assert_same_boxes(patterned(kind, *size), preset)


@pytest.mark.parametrize("size", LONG, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_boxes_of_long_pictures_are_opencvs(kind, size):
    height, width = size
    image = patterned(kind, height, width)
    if kind == "two colours":
        image = image[:1500, :1500]
    assert_same_boxes(image, "single")


@settings(max_examples=60)
@given(
    st.sampled_from(PRESETS),
    st.sampled_from(KINDS),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2**32),
)
def test_boxes_are_opencvs_whatever_the_picture(preset, kind, height, width, seed):
    assert_same_boxes(patterned(kind, height, width, seed), preset)


@pytest.mark.parametrize("preset", PRESETS)
def test_an_image_gives_the_same_list_with_either_engine(preset):
    with Image.open(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as file:
        image = np.asarray(file.convert("RGB").resize((256, 300)))
    ours, theirs = (
        search(image, ProposalConfig(engine=engine, preset=preset)) for engine in ("fast", "opencv")
    )
    assert ours.tobytes() == theirs.tobytes()


def test_workers_give_the_same_lists_as_opencvs(scenes, tmp_path):
    paths = sorted((scenes / "JPEGImages").glob("*.jpg"))[:4]
    ours, theirs = (
        ensure_proposals(paths, ProposalConfig(engine=engine), Cache(tmp_path), workers=2)
        for engine in ("fast", "opencv")
    )
    assert (ours.searched, theirs.searched) == (4, 4)
    for path in paths:
        np.testing.assert_array_equal(ours.proposals_for(path), theirs.proposals_for(path))


@pytest.mark.parametrize("preset", ["fast", "quality"])
def test_threads_change_nothing(preset):
    image = patterned("smooth", 80, 100)
    alone = find_regions(image, preset)
    for threads in (2, 7):
        np.testing.assert_array_equal(find_regions(image, preset, threads=threads), alone)
