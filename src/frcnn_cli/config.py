"""Every setting, as frozen dataclasses; each field with its unit and its section of the paper.

Defaults < recipe < `frcnn.toml` < flags. A contradiction is refused when the object is built. The
resolved objects are saved beside a run's checkpoints.
"""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from frcnn_cli.errors import ConfigError

Preset = Literal["fast", "quality", "single", "paper"]
Engine = Literal["opencv", "fast", "imported"]
BackboneName = Literal["efficientnet_lite0", "vgg16", "vgg_cnn_m_1024", "alexnet", "resnet50"]
Pool = Literal["roi_pool", "roi_align"]
Optimizer = Literal["sgd", "adamw"]
Metric = Literal["voc07", "voc10", "coco"]
VocMetric = Literal["voc07", "voc10"]
DetectionFormat = Literal["frcnn", "coco", "voc", "yolo"]
OutputFormat = Literal["frcnn", "coco", "voc", "yolo", "jsonl", "csv"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

ConfigT = TypeVar("ConfigT")


class ContradictionError(ConfigError):
    """Two settings that do not agree; each may be right beside another recipe's values."""


def _require(holds: bool, problem: str, remedy: str) -> None:
    if not holds:
        raise ConfigError(problem, remedy=remedy)


def _agree(holds: bool, problem: str, remedy: str) -> None:
    if not holds:
        raise ContradictionError(problem, remedy=remedy)


@dataclass(frozen=True)
class ProposalConfig:
    """How regions are searched; what decides the boxes is part of the cache key."""

    engine: Engine = "fast"
    """Who searches: "fast", compiled by numba at first use; "opencv", OpenCV itself, which finds
    the same boxes; or nobody: "imported" takes what `frcnn proposals --import` kept."""
    imported: str = "default"
    """Which imported proposals, by the name that they were given; for that engine alone."""
    preset: Preset = "fast"
    """OpenCV's fast, quality or single strategy, or "paper": the MATLAB setting of R-CNN."""
    max_side: int = 500
    """Photographs with a longer side (pixels) are shrunk for the search; 0 never shrinks."""
    max_proposals: int = 2000
    """Boxes kept a photograph, best first (§4.1 uses about 2,000); 0 keeps all."""
    seed: int = 0
    """Decides the order of the boxes, never the set."""
    time_limit: float = 300.0
    """Seconds that the search of one photograph may take before it is given up; 0 is no limit."""

    def __post_init__(self) -> None:
        _require(self.max_side >= 0, f"max_side is {self.max_side}", "use 0 or more pixels")
        _require(self.max_proposals >= 0, f"max_proposals is {self.max_proposals}", "use 0 or more")
        _require(self.time_limit >= 0, f"time_limit is {self.time_limit}", "use 0 or more seconds")


@dataclass(frozen=True)
class ModelConfig:
    """What network is built."""

    backbone: str = "efficientnet_lite0"
    """S is alexnet, M is vgg_cnn_m_1024, L is vgg16 (§4); "timm/NAME" is a network of timm."""
    pool: Pool = "roi_pool"
    """RoI max pooling (§2.1), or RoIAlign (Mask R-CNN §3)."""
    finetune_from: str = ""
    """First layer that is trained (§4.5); "" is the backbone's default, "all" trains everything."""
    fc6_rank: int = 0
    """Rank of fc6 after truncated SVD (§3.1), as `frcnn compress` sets it; 0 is the whole layer."""
    fc7_rank: int = 0
    """Rank of fc7 after truncated SVD (§3.1); 0 is the whole layer."""

    def __post_init__(self) -> None:
        _require(
            self.backbone in get_args(BackboneName) or self.backbone.startswith("timm/"),
            f"backbone is {self.backbone!r}",
            f"use one of {', '.join(get_args(BackboneName))} or timm/NAME",
        )
        for name in ("fc6_rank", "fc7_rank"):
            _require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}", "use 0 or more")


@dataclass(frozen=True)
class InputConfig:
    """How photographs are resized for the network (§4: short side 600, long side at most 1000)."""

    short_side: int = 600
    """Pixels of the shorter side."""
    long_side: int = 1000
    """Cap on the longer side, pixels; it wins over `short_side`."""

    def __post_init__(self) -> None:
        _require(self.short_side >= 32, f"short_side is {self.short_side}", "use 32 or more pixels")
        _agree(
            self.long_side >= self.short_side,
            f"long_side {self.long_side} is less than short_side {self.short_side}",
            "raise long_side or lower short_side",
        )


@dataclass(frozen=True)
class TrainConfig:
    """A training recipe; the defaults are the paper's (§2.3, §4)."""

    iterations: int = 40_000
    """Steps of the optimiser."""
    epochs: float = 0.0
    """Passes over the photographs; where they take more steps than `iterations`, these count."""
    optimizer: Optimizer = "sgd"
    """SGD with momentum (§2.3), or AdamW."""
    lr: float = 0.001
    """Learning rate of the first steps, for `images_per_batch` photographs a step (§2.3)."""
    lr_trunk: float = 1.0
    """Factor on `lr` for the layers before RoI pooling (1 in the paper)."""
    lr_schedule: Literal["step", "cosine"] = "step"
    """Step: times `lr_gamma` at each of `lr_steps`. Cosine: to zero over the run."""
    lr_steps: tuple[float, ...] = (0.75,)
    """Fractions of the run at which a step schedule drops (30k of 40k, §2.3)."""
    lr_gamma: float = 0.1
    """Factor of a drop (§2.3)."""
    warmup: int = 0
    """Steps of linear warm-up from a tenth of the rate (none in the paper)."""
    momentum: float = 0.9
    """Momentum of SGD (§2.3)."""
    weight_decay: float = 0.0005
    """Weight decay, on weights and biases alike (§2.3)."""
    bias_decay: bool = True
    """Weight decay on biases too; the Caffe release has none."""
    bias_lr: float = 2.0
    """Factor on `lr` for biases (§2.3)."""
    clip_norm: float = 0.0
    """Largest gradient norm; 0 does not clip (the paper)."""
    images_per_batch: int = 2
    """Photographs a step, N (§2.3)."""
    rois_per_image: int = 64
    """RoIs sampled from each photograph, R / N (§2.3)."""
    foreground_fraction: float = 0.25
    """Share of the sampled RoIs that overlap an object (§2.3)."""
    foreground_iou: float = 0.5
    """Least IoU of a foreground RoI with an object (§2.3)."""
    background_iou: tuple[float, float] = (0.1, 0.5)
    """Background RoIs have their highest IoU in this half-open range (§2.3)."""
    add_gt: bool = False
    """Ground-truth boxes join the proposals (the Caffe release, not the paper)."""
    box_loss_weight: float = 1.0
    """λ of the multi-task loss (§2.3, Eq. 1); 0 learns no boxes: regions stay as they are."""
    stage_wise: bool = False
    """First half of the steps: classes, no boxes. Second half: the box layer alone (§5.1)."""
    class_statistics: bool = False
    """Box targets are normalised for each class, and folded into the weights (Caffe release)."""
    difficult: bool = False
    """Difficult objects are trained on (Caffe release)."""
    flip: float = 0.5
    """Probability of a left-right flip (§2.3)."""
    flip_copies: bool = False
    """Every photograph twice in each pass, once flipped, and none drawn (Caffe release)."""
    short_sides: tuple[int, ...] = (600,)
    """One of these scales (pixels of the short side) is drawn for each photograph (§2.4)."""
    long_side: int = 1000
    """Cap on the long side while training, pixels (§4)."""
    dropout: float = 0.5
    """Dropout after fc6 and fc7 (§4.1, as VGG was trained)."""
    ema: float = 0.0
    """Decay of an exponential moving average of the weights; 0 keeps none (the paper)."""
    precision: Precision = "auto"
    """Numbers of the forward pass: auto is bfloat16 where the device computes in it, or float32."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    eval_every: int = 0
    """Steps between evaluations on `eval_split`; 0 evaluates at each checkpoint."""
    eval_split: str = "val"
    """Photographs that choose the best checkpoint, where none of them is trained on."""
    validation_images: int = 200
    """Photographs of `eval_split` scored at each evaluation, spread over it; 0: none."""
    final_eval: bool = True
    """At its end a run is scored on all of `eval_split`, or else of `test`, if that is held out."""
    patience: int = 0
    """Evaluations without a better mAP after which the run ends; 0 never ends it."""
    seed: int = 0
    """Decides initialisation, order, flips, scales, RoIs and dropout."""

    def __post_init__(self) -> None:
        for name in ("iterations", "images_per_batch", "rois_per_image", "checkpoint_every"):
            _require(getattr(self, name) > 0, f"{name} is {getattr(self, name)}", "use 1 or more")
        for name in ("foreground_fraction", "foreground_iou", "flip"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"{name} is {value}", "use a fraction between 0 and 1")
        for name in ("dropout", "ema"):
            value = getattr(self, name)
            _require(0 <= value < 1, f"{name} is {value}", "use a value in [0, 1)")
        for name in (
            *(
                "seed",
                "epochs",
                "validation_images",
                "eval_every",
                "patience",
                "warmup",
                "clip_norm",
                "weight_decay",
            ),
            *("momentum", "lr_trunk", "lr_gamma", "bias_lr", "box_loss_weight"),
        ):
            _require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}", "use 0 or more")
        _agree(
            not (self.stage_wise and self.box_loss_weight == 0),
            "stage_wise has nothing to learn in its second stage with box_loss_weight 0",
            "choose one of the two",
        )
        _require(
            self.precision != "float16",
            "precision is float16, which training has no use for",
            "use bfloat16",
        )
        _require(self.lr > 0, f"lr is {self.lr}", "use a positive learning rate")
        low, high = self.background_iou
        _agree(
            0 <= low < high <= self.foreground_iou,
            f"background_iou {self.background_iou} does not lie below "
            f"foreground_iou {self.foreground_iou}",
            "use 0 <= low < high <= foreground_iou",
        )
        _require(bool(self.short_sides), "short_sides is empty", "name at least one scale")
        for side in self.short_sides:
            InputConfig(side, max(side, self.long_side))


@dataclass(frozen=True)
class DetectConfig:
    """How class scores and deltas become detections."""

    score: float = 0.05
    """Least score of a detection."""
    nms: float = 0.3
    """IoU above which the lower-scored of two boxes of a class is dropped (§4, 0.3)."""
    max_per_image: int = 100
    """Detections kept a photograph, over all classes; 0 keeps all."""
    vote: float = 0.5
    """IoU from which a class's boxes take part in the place and the score of one that stays
    (Gidaris & Komodakis 2015); 0: boxes and scores are the network's own (the paper)."""
    support: float = 1.0
    """A box that boxes of w score in all vote for has its score times w / (w + this)."""
    scales: tuple[int, ...] = ()
    """Short sides in pixels: each RoI is seen where it is nearest to 224² (§2.4); empty: one."""
    longest_side: int = 2000
    """Cap on the long side at these scales, pixels (§5.2)."""

    def __post_init__(self) -> None:
        for side in self.scales:
            InputConfig(side, max(side, self.longest_side))
        for name in ("score", "nms", "vote"):
            value = getattr(self, name)
            _require(0 <= value <= 1, f"{name} is {value}", "use a fraction between 0 and 1")
        _require(self.support >= 0, f"support is {self.support}", "use 0 or more")
        _require(self.max_per_image >= 0, f"max_per_image is {self.max_per_image}", "use 0 or more")


@dataclass(frozen=True)
class SpeedConfig:
    """What a detector does to be fast; it computes the same function, but for rounding."""

    precision: Precision = "auto"
    """Numbers of the network; auto is bfloat16 where the device computes in it, else float32."""
    distinct_rois: bool = True
    """RoIs that cover the same cells of the feature map are computed once (the Caffe release)."""
    fused: bool = True
    """On a CPU, weights in its own order, and convolution and activation in one pass."""


@dataclass(frozen=True)
class EvalConfig:
    """How detections are scored."""

    metric: Metric = "voc07"
    """VOC07's 11-point AP, VOC10's area under the curve, or COCO's AP."""
    iou: float = 0.5
    """Least IoU of a true positive by the VOC rules (the devkit's is >=); COCO has its own ten."""
    score: float = 0.01
    """Least score of a detection that is scored: a precision-recall curve wants its tail."""

    def __post_init__(self) -> None:
        _require(0 <= self.score <= 1, f"score is {self.score}", "use a fraction between 0 and 1")
        _require(0 < self.iou <= 1, f"iou is {self.iou}", "use a fraction above 0 and up to 1")


SECTIONS: Mapping[str, type] = {
    "proposals": ProposalConfig,
    "model": ModelConfig,
    "input": InputConfig,
    "train": TrainConfig,
    "detect": DetectConfig,
    "speed": SpeedConfig,
    "eval": EvalConfig,
}
"""The tables of `frcnn.toml` and what each one sets."""


def load_file(path: Path) -> dict[str, dict[str, Any]]:
    """Reads a `frcnn.toml` into {section: {field: value}}, refusing what it does not know.

    Whether settings agree with each other shows when they are put over the values of a recipe.

    Raises:
        ConfigError: the file cannot be read, has an unknown section or key, or a value that no
            recipe could have.
    """
    try:
        with path.open("rb") as stream:
            tables = tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", file=path) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", file=path) from error
    for section, values in tables.items():
        if section not in SECTIONS or not isinstance(values, dict):
            known = ", ".join(f"[{name}]" for name in SECTIONS)
            raise ConfigError(f"unknown section {section!r}", remedy=f"use {known}", file=path)
        try:
            override(SECTIONS[section](), values)
        except ContradictionError:
            continue
        except ConfigError as error:
            raise ConfigError(
                f"[{section}] {error.problem}", remedy=error.remedy, file=path
            ) from error
    return tables


def override(config: ConfigT, values: Mapping[str, Any]) -> ConfigT:
    """Returns `config` with the fields in `values` replaced; a value of None changes nothing.

    Raises:
        ConfigError: an unknown field, a value of the wrong type, or one out of range.
    """
    hints = typing.get_type_hints(type(config))
    changes = {}
    for name, value in values.items():
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise ConfigError(f"unknown key {name!r}", remedy=f"known keys are {known}")
        if value is not None:
            changes[name] = _checked(name, value, hints[name])
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def _checked(name: str, value: Any, hint: Any) -> Any:
    """Returns `value` as the type `hint` (a scalar, a Literal or a tuple of scalars)."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        choices = get_args(hint)
        _require(value in choices, f"{name} is {value!r}", f"use one of {', '.join(choices)}")
        return value
    if origin is tuple:
        kinds = [kind for kind in get_args(hint) if kind is not ...]
        fits = isinstance(value, list | tuple) and (
            ... in get_args(hint) or len(value) == len(kinds)
        )
        _require(fits, f"{name} is {value!r}", f"use a list of {kinds[0].__name__}")
        return tuple(_checked(name, item, kinds[0]) for item in value)
    assert isinstance(hint, type)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    _require(fits, f"{name} is {value!r}", f"use a value of type {hint.__name__}")
    return value
