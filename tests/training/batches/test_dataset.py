"""Batches: a function of their step, whoever loads them."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from frcnn_cli import boxes as box_ops
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.images import image_size
from frcnn_cli.data.open import open_dataset, read_split
from frcnn_cli.errors import ImageError
from frcnn_cli.model.backbones import BACKBONES
from frcnn_cli.model.batch import Batch
from frcnn_cli.proposals.service import ProposalRun, ensure_proposals
from frcnn_cli.records import Sample
from frcnn_cli.training.batches.dataset import PixelBatch, TrainingSet
from support import tiny
from support.settings import changed, train_config

CONFIG = train_config(iterations=6, short_sides=(96, 128), long_side=200, add_gt=True)
SPEC = BACKBONES["efficientnet_lite0"]().spec


@pytest.fixture(scope="module")
def searched(scenes: Path, tmp_path_factory) -> tuple[list[Sample], ProposalRun]:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    samples, _ = read_split(open_dataset(scenes, cache), "val")
    paths = [sample.path for sample in samples]
    run = ensure_proposals(paths, ProposalConfig(preset="single"), cache, workers=1)
    return samples, run


def same(one: Batch, other: Batch) -> bool:
    pairs = [*zip(one.images, other.images, strict=True), *zip(one.rois, other.rois, strict=True)]
    pairs += [(one.labels, other.labels), (one.deltas, other.deltas)]
    return one.image_ids == other.image_ids and all(torch.equal(a, b) for a, b in pairs)


def test_a_batch_fits_together(searched) -> None:
    samples, run = searched
    for batch in TrainingSet(samples, run, CONFIG, SPEC).batches(0, workers=0):
        assert len(batch.images) == len(batch.rois) == 2
        assert sum(map(len, batch.rois)) == len(batch.labels) == len(batch.deltas)
        for image, rois in zip(batch.images, batch.rois, strict=True):
            assert image.shape[2] % SPEC.stride == image.shape[3] % SPEC.stride == 0
            assert (rois[:, 2:] > rois[:, :2]).all()
            assert (rois[:, 2] <= image.shape[3]).all()
        assert not batch.deltas[batch.labels == 0].any()


def test_a_gpu_prepares_the_images_that_a_cpu_loads(searched, monkeypatch) -> None:
    samples, run = searched
    batches = TrainingSet(samples, run, CONFIG, SPEC)
    expected, batches.device = batches.first(), torch.device("cuda")
    sent = pickle.loads(pickle.dumps(batches[0])).apply(torch.clone)  # by a process, then pinned
    assert isinstance(sent, PixelBatch)
    assert all(image.dtype == torch.uint8 for image in sent.images)
    monkeypatch.setattr(Batch, "to", lambda batch, _: batch.apply(torch.clone))
    prepared = batches.first()
    assert type(prepared) is Batch
    assert same(prepared, expected)


def test_deltas_lead_to_the_objects_flipped_or_not(searched) -> None:
    """Decoding a foreground RoI in the resized image gives an object, in its flipped place."""
    samples, run = searched
    for flip in (0.0, 1.0):
        config = changed(CONFIG, flip_prob=flip, short_sides=(128,), images_per_batch=1)
        (batch, *_) = TrainingSet(samples, run, config, SPEC).batches(0, workers=0)
        sample = next(s for s in samples if s.image_id == batch.image_ids[0])
        width, height = image_size(sample.path)
        objects = box_ops.flip(sample.boxes, width) if flip else sample.boxes
        foreground = batch.labels > 0
        decoded = box_ops.decode(batch.rois[0][foreground], batch.deltas[foreground]).numpy()
        scale = 128 / min(width, height)
        overlap = box_ops.iou(decoded.astype(np.float32), (objects * scale).astype(np.float32))
        assert len(decoded) > 0
        assert (overlap.max(axis=1) > 0.98).all()


def test_with_tiles_a_window_has_the_size_of_an_image(searched, tmp_path: Path) -> None:
    """Images are 384 × 288: windows of 200 × 200, at most, or the whole."""
    config = ProposalConfig(preset="single", tiles=200)
    samples, cache = searched[0][:1], Cache(tmp_path)
    run = ensure_proposals([samples[0].path], config, cache, workers=1)
    square = changed(CONFIG, short_sides=(128,), iterations=20)
    seen = [batch.images for batch in TrainingSet(samples, run, square, SPEC).batches(0, 0)]
    assert {tuple(image.shape[2:]) for images in seen for image in images} == {
        (128, 128),
        (128, 176),  # 171, padded to whole cells
    }


@pytest.mark.slow
def test_workers_change_nothing(searched, tmp_path, monkeypatch) -> None:
    """Nor do modules in the working directory, which they do not import."""
    for name in ("numpy", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of this folder')")
    monkeypatch.chdir(tmp_path)
    samples, run = searched
    batches = TrainingSet(samples, run, CONFIG, SPEC)
    in_line, ahead = (list(batches.batches(2, workers)) for workers in (0, 2))
    assert len(in_line) == len(ahead) == 4
    assert all(same(one, other) for one, other in zip(in_line, ahead, strict=True))


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_an_image_that_is_gone_is_an_error_for_people(searched, workers: int) -> None:
    samples, run = searched
    gone = [dataclasses.replace(samples[0], path=Path("gone.jpg"))]
    with pytest.raises(ImageError, match=r"gone\.jpg: does not exist"):
        next(TrainingSet(gone, run, CONFIG, SPEC).batches(0, workers))


def test_proposals_of_difficult_objects_are_not_background(searched) -> None:
    samples, run = searched
    sample = samples[0]
    hidden = dataclasses.replace(sample, difficult=np.ones(len(sample.boxes), bool))
    config = changed(CONFIG, flip_prob=0.0, short_sides=(128,), rois_per_image=500)
    (batch, *_) = TrainingSet([hidden], run, config, SPEC).batches(0, workers=0)
    assert not batch.labels.any()
    rois = batch.rois[0].numpy() * np.float32(min(image_size(sample.path)) / 128)
    assert box_ops.iou(rois.astype(np.float32), sample.boxes).max() < 0.51  # sizes are rounded


def test_an_image_without_objects_trains_as_background(searched) -> None:
    samples, run = searched
    empty = dataclasses.replace(
        samples[0],
        boxes=np.zeros((0, 4), np.float32),
        labels=np.zeros(0, np.int64),
        difficult=np.zeros(0, bool),
    )
    batches = TrainingSet([empty, samples[1]], run, CONFIG, SPEC)
    batch = batches.first()
    labels = dict(
        zip(batch.image_ids, batch.labels.split([len(r) for r in batch.rois]), strict=True)
    )
    assert len(labels[empty.image_id]) == CONFIG.sampling.rois_per_image
    assert not labels[empty.image_id].any()
    assert labels[samples[1].image_id].any()
    model = tiny.model(classes=4)
    batches.set_delta_statistics(model)
    assert model.delta_mean.isfinite().all()
    assert (model.delta_std > 0).all()
    assert not torch.equal(model.delta_std, tiny.model(classes=4).delta_std)


def test_copies_are_flipped_once_in_each_pass_and_nothing_is_drawn(searched) -> None:
    """The Caffe release: 2 images are 4 in a pass, 2 of them flipped."""
    samples, run = searched
    config = changed(
        CONFIG,
        flip_prob=0.0,
        flip_copies=True,
        short_sides=(128,),
        images_per_batch=1,
        iterations=4,
    )
    seen: dict[str, list[torch.Tensor]] = {}
    for batch in TrainingSet(samples, run, config, SPEC).batches(0, workers=0):
        seen.setdefault(batch.image_ids[0], []).append(batch.images[0])
    assert len(seen) == 2
    for one, other in seen.values():
        # To the right there are zeros, of which flipping knows nothing; resizing rounds.
        real = int((one.abs().sum((0, 1, 2)) > 0).nonzero().max()) + 1
        difference = one[..., :real].flip(3) - other[..., :real]
        assert difference.abs().mean() < 0.005
        assert (one - other).abs().mean() > 0.02


def test_difficult_objects_train_where_the_recipe_wants_them(searched) -> None:
    samples, run = searched
    hidden = dataclasses.replace(samples[0], difficult=np.ones(len(samples[0].boxes), bool))
    config = changed(CONFIG, train_on_difficult=True)
    assert TrainingSet([hidden], run, config, SPEC).first().labels.any()


def test_images_of_a_rare_class_are_seen_more_often(searched) -> None:
    """Nine images of class 1 and one of class 2, which is in less than 0.9 of them.

    It is repeated √(0.9 / 0.1) = 3 times: 10 · 3/12 = 2 or 3 of the 10 draws of a pass.
    """
    samples, run = searched
    labels = np.ones(len(samples[0].labels), np.int64)
    common = [dataclasses.replace(samples[0], image_id=str(i), labels=labels) for i in range(9)]
    rare = dataclasses.replace(samples[0], image_id="rare", labels=2 * labels)
    config = changed(CONFIG, class_balance=0.9, images_per_batch=10, iterations=1)
    seen = TrainingSet([*common, rare], run, config, SPEC).first().image_ids
    assert seen.count("rare") in (2, 3)
    hidden = dataclasses.replace(rare, difficult=np.ones(len(labels), bool))
    seen = TrainingSet([*common, hidden], run, config, SPEC).first().image_ids
    assert seen.count("rare") == 1  # it has nothing to teach


def test_all_chance_is_of_the_step(searched) -> None:
    samples, run = searched
    config = changed(CONFIG, crop_prob=0.7, photometric=0.4, class_balance=0.6, ohem_factor=2)
    batches = TrainingSet(samples, run, config, SPEC)
    plain = TrainingSet(samples, run, changed(CONFIG, class_balance=0.6), SPEC)
    whole, later = (list(batches.batches(start, workers=0)) for start in (0, 3))
    assert all(same(one, other) for one, other in zip(whole[3:], later, strict=True))
    assert not any(same(one, other) for one, other in zip(whole, plain.batches(0, 0), strict=True))
    for batch in whole:
        for image, rois in zip(batch.images, batch.rois, strict=True):
            assert (rois[:, 2:] > rois[:, :2]).all()
            assert (rois[:, 2] <= image.shape[3]).all()
            assert (rois[:, 3] <= image.shape[2]).all()
