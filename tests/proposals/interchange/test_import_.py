"""Importing: whose boxes they are, what they mean, and what cannot be used."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import image_size
from frcnn_cli.data.open import open_dataset
from frcnn_cli.errors import DataError
from frcnn_cli.proposals.interchange.convention import BoxConvention
from frcnn_cli.proposals.interchange.import_ import import_proposals
from frcnn_cli.proposals.search import require_engine
from frcnn_cli.proposals.service import proposals_for
from frcnn_cli.training.preflight.checks import cover

pytestmark = pytest.mark.usefixtures("read_in_this_process")

IMPORTED = ProposalConfig(engine="imported", max_proposals=0)


@pytest.fixture
def cache(tmp_path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def samples(scenes, cache):
    dataset = open_dataset(scenes, cache)
    return [dataset.read(image_id) for image_id in dataset.split("test")]


def boxes_for(sample, seed=0):
    """Whole pixels: the image, its objects, and others that may touch the border."""
    width, height = image_size(sample.path)
    rng = np.random.default_rng(seed)
    x = np.sort(rng.integers(0, width + 1, (50, 2)), axis=1)
    y = np.sort(rng.integers(0, height + 1, (50, 2)), axis=1)
    others = np.stack((x[:, 0], y[:, 0], x[:, 1], y[:, 1]), axis=1)
    others = others[(others[:, 2] > others[:, 0] + 2) & (others[:, 3] > others[:, 1] + 2)]
    return np.concatenate(([[0, 0, width, height]], sample.boxes.round(), others)).astype(float)


def import_from(file, scenes, cache, name="default"):
    return import_proposals([scenes], file, name, cache, split="test")


def test_a_release_file_end_to_end(scenes, samples, cache, tmp_path):
    boxes = [boxes_for(sample) for sample in samples]
    cells = np.empty((1, len(boxes)), object)
    names = np.empty((len(boxes), 1), object)
    for i, sample in enumerate(samples):
        cells[0, i] = (boxes[i] + [1, 1, 0, 0])[:, [1, 0, 3, 2]].astype(np.uint16)
        names[i, 0] = np.array([sample.image_id])
    savemat(tmp_path / "voc.mat", {"boxes": cells, "images": names})
    run = import_from(tmp_path / "voc.mat", scenes, cache)
    assert run.chosen.convention == run.documented == BoxConvention("yxyx", "one")
    assert run.chosen.recall == 1
    assert (len(run.counts), run.unmatched_entries, run.missing_images) == (4, 0, 10)
    assert (run.clipped, run.dropped, run.failures) == (0, 0, {})
    assert cover(samples, IMPORTED, cache).recall == 1
    require_engine(IMPORTED)  # as a process does that is to load them
    for sample, expected in zip(samples, boxes, strict=True):
        found = proposals_for(sample.path, IMPORTED, cache)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == np.float32


def test_a_reading_other_than_the_documented_one_is_found(scenes, samples, cache, tmp_path):
    rows = [
        {"image_id": sample.path.name, "bbox": [x1 + 1, y1 + 1, x2, y2], "score": -i}
        for sample in samples
        for i, (x1, y1, x2, y2) in enumerate(boxes_for(sample).tolist())
    ]
    (tmp_path / "coco.json").write_text(json.dumps(rows))
    run = import_from(tmp_path / "coco.json", scenes, cache)
    assert run.documented == BoxConvention("xywh", "edges")
    assert run.chosen.convention == BoxConvention("xyxy", "one")
    found = proposals_for(samples[0].path, IMPORTED, cache)
    np.testing.assert_array_equal(found, boxes_for(samples[0]))


def test_entries_without_names_are_taken_in_the_order_of_the_split(
    scenes, samples, cache, tmp_path
):
    boxes = [boxes_for(sample, seed) for seed, sample in enumerate(samples)]
    (tmp_path / "mm.pkl").write_bytes(pickle.dumps(boxes))
    import_from(tmp_path / "mm.pkl", scenes, cache, name="mm")
    config = ProposalConfig(engine="imported", imported="mm")
    for sample, expected in zip(samples, boxes, strict=True):
        np.testing.assert_array_equal(proposals_for(sample.path, config, cache), expected)
    (tmp_path / "mm.pkl").write_bytes(pickle.dumps(boxes[1:]))
    with pytest.raises(DataError, match=r"has 3 entries, but split 'test' has 4 .* --split"):
        import_from(tmp_path / "mm.pkl", scenes, cache)


def test_bad_numbers_fail_their_image_and_others_are_mended(scenes, samples, cache, tmp_path):
    arrays = {sample.image_id: boxes_for(sample) for sample in samples}
    first, second = (sample.image_id for sample in samples[:2])
    arrays[first][3, 1] = np.nan
    width, height = image_size(samples[1].path)
    arrays[second] = np.vstack((arrays[second], [-3, 0, width, height], [5, 5, 5, 9]))
    np.savez(tmp_path / "x.npz", **arrays, stranger=np.zeros((0, 4)))
    run = import_from(tmp_path / "x.npz", scenes, cache)
    assert "1 of its" in str(run.failures[samples[0].path])
    assert (run.clipped, run.dropped, run.unmatched_entries) == (1, 1, 1)
    found = proposals_for(samples[1].path, IMPORTED, cache)
    np.testing.assert_array_equal(found[-1], [0, 0, width, height])
    assert samples[0].path not in run.counts


def test_an_image_that_cannot_be_read_is_noted(cache, tmp_path):
    for name in ("a", "b"):
        Image.new("RGB", (40, 30)).save(tmp_path / f"{name}.jpg")
    (tmp_path / "c.jpg").touch()
    boxes = np.array([[0, 0, 40, 30], [1, 2, 20, 25]])
    np.savez(tmp_path / "x.npz", a=boxes, b=boxes, c=boxes)
    run = import_proposals([tmp_path], tmp_path / "x.npz", "default", cache, split="test")
    assert {path.name for path in run.counts} == {"a.jpg", "b.jpg"}
    assert {path.name for path in run.failures} == {"c.jpg"}


def test_boxes_of_other_images_are_refused(scenes, samples, cache, tmp_path):
    np.savez(tmp_path / "x.npz", **{sample.image_id: boxes_for(sample) * 3 for sample in samples})
    with pytest.raises(DataError, match="leave their images"):
        import_from(tmp_path / "x.npz", scenes, cache)
    np.savez(tmp_path / "y.npz", a=np.ones((1, 4)), b=np.ones((1, 4)))
    with pytest.raises(DataError, match=r"names no image of .* but 2 others such as 'a'"):
        import_from(tmp_path / "y.npz", scenes, cache)
    assert not list(cache.root.glob("proposals/*/*"))


def test_images_without_annotations_are_read_as_documented(samples, cache, tmp_path):
    boxes = boxes_for(samples[0])
    np.savez(tmp_path / "x.npz", **{str(samples[0].path): boxes})
    run = import_proposals([samples[0].path], tmp_path / "x.npz", "default", cache, split="test")
    assert run.objects == 0
    np.testing.assert_array_equal(proposals_for(samples[0].path, IMPORTED, cache), boxes)
