"""Recipes by numbers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import get_args

import pytest
import torch

from frcnn_cli.config import BackboneName, InputConfig, flat
from frcnn_cli.config.recipes import for_batch, for_images, nearest, recipe
from frcnn_cli.model.backbones import BACKBONES
from frcnn_cli.training.engine.optimizer import rate_factor
from support.settings import changed, train_config


def test_four_times_the_images_take_four_times_the_rate_and_a_quarter_of_the_steps() -> None:
    base = train_config(
        iterations=40_000, lr=0.001, warmup_steps=100, ema=0.998, images_per_batch=2
    )
    after = SimpleNamespace(**flat(for_batch(base, 8)))
    assert (after.images_per_batch, after.iterations, after.warmup_steps) == (8, 10_000, 25)
    assert after.lr == pytest.approx(0.004)
    assert after.ema == pytest.approx(0.998**4)
    assert after.lr_steps == base.schedule.lr_steps  # fractions of the run
    assert for_batch(base, 2) == base


@pytest.mark.parametrize("batch", [2, 8])
def test_a_recipe_is_known_by_its_fields_whatever_its_batch_and_its_steps(batch: int) -> None:
    lite = for_batch(recipe("default", "efficientnet_lite0").train, batch)
    run = changed(lite, iterations=77, epochs=0.0)
    assert nearest(run, "efficientnet_lite0") == ("default", {})
    assert nearest(changed(run, ohem_factor=4), "efficientnet_lite0") == (
        "default",
        {"ohem_factor": 4},
    )
    caffe = changed(recipe("caffe", "vgg16").train, flip_prob=0.5, flip_copies=False)
    assert nearest(caffe, "vgg16") == ("caffe", {"flip_prob": 0.5, "flip_copies": False})


@pytest.mark.parametrize("backbone", ["alexnet", "vgg_cnn_m_1024", "vgg16"])
def test_the_papers_recipe_in_the_papers_numbers(backbone: BackboneName) -> None:
    """§2.3 and §4, for S, M and L alike."""
    paper = recipe("paper", backbone)
    train = SimpleNamespace(**flat(paper.train))
    assert (
        train.images_per_batch,
        train.images_per_batch * train.rois_per_image,
    ) == (2, 128)
    assert round(train.rois_per_image * train.foreground_fraction) == 16
    assert (train.foreground_iou, train.background_iou) == (0.5, (0.1, 0.5))
    assert (
        train.flip_prob,
        train.flip_copies,
        train.add_gt,
        train.train_on_difficult,
    ) == (0.5, *[False] * 3)
    assert (train.optimizer, train.momentum, train.weight_decay) == (
        "sgd",
        0.9,
        0.0005,
    )
    assert (
        train.bias_lr_factor,
        train.bias_decay,
        train.backbone_lr_factor,
    ) == (2.0, True, 1.0)
    rates = [
        train.lr * rate_factor(step, paper.train.schedule) for step in (0, 29_999, 30_000, 39_999)
    ]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4])
    assert (
        train.iterations,
        train.epochs,
        train.warmup_steps,
        train.max_grad_norm,
    ) == (40_000, 0, 0, 0)
    assert (train.dropout, train.ema, train.box_loss_weight) == (0.5, 0, 1)
    assert (train.short_sides, train.long_side) == ((600,), 1000)
    assert paper.input == InputConfig(600, 1000)
    assert not (
        train.stage_wise or train.class_statistics or train.ohem_factor or train.label_smoothing
    )
    assert not (train.class_balance or train.crop_prob or train.photometric)


@pytest.mark.parametrize("backbone", [*get_args(BackboneName), "timm/resnet18"])
def test_the_steps_of_every_default_follow_the_number_of_images(backbone: str) -> None:
    train = recipe("default", backbone).train
    steps = [for_images(train, images).schedule.iterations for images in (10, 1_000, 5_011)]
    assert steps[0] == 600
    assert steps[1] == train.schedule.epochs * 500
    assert steps[2] in (20_044, 40_088)  # 8 passes, and the paper's 40k steps


def test_what_the_caffe_release_does_otherwise() -> None:
    paper, caffe = (recipe(name, "vgg16") for name in ("paper", "caffe"))
    changed = {
        name: value for name, value in flat(caffe.train).items() if value != flat(paper.train)[name]
    }
    assert changed == {
        "bias_decay": False,
        "add_gt": True,
        "train_on_difficult": True,
        "class_statistics": True,
        "flip_prob": 0.0,
        "flip_copies": True,
    }
    assert caffe.input == paper.input


@pytest.mark.parametrize(
    ("backbone", "start", "first", "frozen"),
    [
        ("vgg16", "", "conv3_1", 4),  # §4.5: conv3_1 and up
        ("vgg16", "fc6", "fc6", 13),  # what SPPnet can do
        ("vgg16", "conv2_1", "conv2_1", 2),
        ("vgg_cnn_m_1024", "", "conv2", 1),
        ("alexnet", "", "conv2", 1),
    ],
)
def test_table_5_by_the_layers_that_are_frozen(
    backbone: BackboneName, start: str, first: str, frozen: int
) -> None:
    with torch.device("meta"):
        network = BACKBONES[backbone]()
    network.freeze_below(start)
    trained = [
        name
        for name, layer in network.layers().items()
        if all(parameter.requires_grad for parameter in layer.parameters())
    ]
    names = list(network.layers())
    assert trained == names[frozen:]
    assert trained[0] == first
