"""Settings: defaults of the paper, files, overrides, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from frcnn_cli.config import (
    SECTIONS,
    AugmentationConfig,
    DetectConfig,
    EvalConfig,
    InputConfig,
    ModelConfig,
    OptimizerConfig,
    ProposalConfig,
    TrainConfig,
    flat,
    from_dict,
    load_file,
    override,
)
from frcnn_cli.errors import ConfigError


def test_the_defaults_are_the_papers():
    train = SimpleNamespace(**flat(TrainConfig()))
    assert (train.images_per_batch, train.rois_per_image) == (2, 64)
    assert (train.foreground_fraction, train.foreground_iou) == (0.25, 0.5)
    assert train.background_iou == (0.1, 0.5)
    assert (train.lr, train.momentum, train.weight_decay) == (
        0.001,
        0.9,
        0.0005,
    )
    # 30k steps, then 10k at a tenth
    assert (train.iterations, train.lr_steps, train.lr_gamma) == (
        40_000,
        (0.75,),
        0.1,
    )
    assert (InputConfig().short_side, InputConfig().long_side) == (600, 1000)
    assert DetectConfig().nms_iou == 0.3
    assert EvalConfig().match_iou == 0.5


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_has_defaults_and_is_frozen(section):
    config = SECTIONS[section]()
    first = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, first, None)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (ProposalConfig, {"max_side": -1}, "max_side is -1; use a whole number of at least 0"),
        (ProposalConfig, {"max_proposals": -1}, "max_proposals is -1"),
        (InputConfig, {"short_side": 8}, "short_side is 8"),
        (InputConfig, {"short_side": 700, "long_side": 600}, "long_side 600 is less than short"),
        (TrainConfig, {"iterations": 0}, "iterations is 0"),
        (TrainConfig, {"images_per_batch": 0}, "images_per_batch is 0"),
        (TrainConfig, {"foreground_fraction": 1.5}, "foreground_fraction is 1.5"),
        (TrainConfig, {"flip_prob": -0.1}, "flip_prob is -0.1"),
        (TrainConfig, {"dropout": 1.0}, "dropout is 1.0"),
        (TrainConfig, {"lr": 0.0}, "lr is 0.0"),
        (TrainConfig, {"background_iou": (0.5, 0.1)}, "does not lie below"),
        (TrainConfig, {"background_iou": (0.1, 0.6)}, "does not lie below"),
        (TrainConfig, {"short_sides": ()}, "short_sides is \\(\\)"),
        (TrainConfig, {"short_sides": (600, 8)}, r"short_sides is \(600, 8\)"),
        (DetectConfig, {"score_threshold": 1.1}, "score_threshold is 1.1"),
        (DetectConfig, {"max_per_image": -1}, "max_per_image is -1"),
        (EvalConfig, {"match_iou": 0.0}, "match_iou is 0.0"),
    ],
)
def test_contradictions_are_refused(kind, values, message):
    with pytest.raises(ConfigError, match=message):
        override(kind(), values)


def test_override_replaces_what_is_given_and_skips_none():
    changed = override(TrainConfig(), {"lr": 0.01, "iterations": None, "short_sides": [480, 576]})
    assert changed == TrainConfig(
        OptimizerConfig(lr=0.01), augmentation=AugmentationConfig(short_sides=(480, 576))
    )


def test_a_rate_may_be_absurd_but_not_infinite():
    assert override(TrainConfig(), {"lr": 1e30}).optimizer.lr == 1e30


def test_a_whole_number_is_a_fraction_too_but_not_the_reverse():
    assert override(TrainConfig(), {"lr": 1}).optimizer.lr == 1.0
    assert isinstance(override(TrainConfig(), {"lr": 1}).optimizer.lr, float)
    with pytest.raises(ConfigError, match=r"iterations is 1\.5; use a whole number of at least 1"):
        override(TrainConfig(), {"iterations": 1.5})


@pytest.mark.parametrize(
    ("config", "values", "message"),
    [
        (ModelConfig(), {"backbne": "vgg16"}, "unknown key 'backbne'; did you mean backbone"),
        (ModelConfig(), {"backbone": "vgg17"}, "backbone is 'vgg17'; use one of efficientnet_lite"),
        (TrainConfig(), {"lr": "fast"}, "lr is 'fast'; use a number above 0"),
        (TrainConfig(), {"add_gt": 1}, "add_gt is 1; use true or false"),
        (TrainConfig(), {"seed": True}, "seed is True; use a whole number"),
        (TrainConfig(), {"short_sides": 600}, "short_sides is 600; use a list of whole numbers"),
        (TrainConfig(), {"short_sides": ["a"]}, r"short_sides is \['a'\]"),
        (TrainConfig(), {"background_iou": [0.1]}, "background_iou is .* use a list of 2 numbers"),
        (TrainConfig(), {"lr": -1.0}, "lr is -1.0; use a number above 0"),
        (TrainConfig(), {"lr": 10**400}, "lr is 1000.*0…; use a finite number"),
        (TrainConfig(), {"lr": 10**5000}, "lr is a very large number; use a finite number"),
        (TrainConfig(), {"lr": float("inf")}, "lr is inf; use a finite number"),
        (TrainConfig(), {"lr": float("nan")}, "lr is nan; use a finite number"),
        (TrainConfig(), {"seed": 2**64}, "seed is 18446744073709551616; use a finite number"),
    ],
)
def test_override_refuses_what_does_not_fit(config, values, message):
    with pytest.raises(ConfigError, match=message):
        override(config, values)


def test_a_file_is_read_by_section(tmp_path):
    path = tmp_path / "frcnn.toml"
    path.write_text('[train]\nlr = 0.01\nshort_sides = [480]\n[model]\nbackbone = "vgg16"\n')
    assert load_file(path) == {
        "train": {"lr": 0.01, "short_sides": [480]},
        "model": {"backbone": "vgg16"},
    }


def test_an_empty_file_sets_nothing(tmp_path):
    (tmp_path / "frcnn.toml").touch()
    assert load_file(tmp_path / "frcnn.toml") == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[train\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"[trian]\nlr = 1\n", r"unknown section 'trian'; use \[proposals\], "),
        (b"lr = 1\n", "unknown section 'lr'"),
        (b"[train]\nlr = " + b"9" * 400, r"lr is 9+…; use a finite number"),
        (b"[train]\nlr = " + b"9" * 5000, "is not TOML: .*digits"),
        (b"[train]\nrates = 1\n", r"\[train\] unknown key 'rates'; known keys are"),
        (b"[train]\nlr = -1\n", r"\[train\] lr is -1; use a number above 0"),
    ],
)
def test_a_file_that_is_wrong_is_named(tmp_path, content, message):
    path = tmp_path / "frcnn.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        load_file(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no\.toml: cannot be read"):
        load_file(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("learning_rate", "lr"), ("iteration", "iterations"), ("ohem", "ohem_factor")],
)
def test_an_unknown_key_is_answered_with_the_one_that_was_meant(written, meant):
    with pytest.raises(ConfigError, match=f"unknown key '{written}'; did you mean {meant}"):
        override(TrainConfig(), {written: 1})


def test_a_saved_recipe_is_read_as_it_was_written():
    config = override(TrainConfig(), {"lr": 0.01, "short_sides": (480, 576), "seed": 3})
    saved = json.loads(json.dumps(dataclasses.asdict(config)))
    assert from_dict(TrainConfig, saved) == config
    with pytest.raises(ConfigError, match="unknown key 'rate'"):
        from_dict(TrainConfig, {"optimizer": {"rate": 1.0}})
