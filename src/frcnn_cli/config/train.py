"""Settings of training; each field with its unit and its section of the paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from msgspec import Meta

from frcnn_cli.config.fields import (
    Amount,
    Config,
    Count,
    Flag,
    Fraction,
    FractionBelowOne,
    Panel,
    PositiveFloat,
    PositiveInt,
    Side,
    agree,
)

_RECIPE = "the recipe's"


@dataclass(frozen=True)
class OptimizerConfig(Config):
    """Update and regularisation of the weights."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with momentum (§2.3), or AdamW."""
    lr: Annotated[PositiveFloat, Flag("RATE", Panel.SCHEDULE, _RECIPE)] = 0.001
    """Learning rate of the first steps, for `images_per_batch` images per step (§2.3)."""
    backbone_lr_factor: Amount = 1.0
    """Factor on `lr` for the layers before RoI pooling (1 in the paper)."""
    bias_lr_factor: Amount = 2.0
    """Factor on `lr` for biases (§2.3)."""
    momentum: Amount = 0.9
    """Momentum of SGD (§2.3)."""
    weight_decay: Amount = 0.0005
    """Weight decay, on weights and biases alike (§2.3)."""
    bias_decay: bool = True
    """Weight decay on biases too; the Caffe release has none."""
    max_grad_norm: Amount = 0.0
    """Gradients are clipped to this norm; 0 does not clip (the paper)."""
    dropout: FractionBelowOne = 0.5
    """Dropout after fc6 and fc7 (§4.1, as VGG was trained)."""
    ema: FractionBelowOne = 0.0
    """Decay of an exponential moving average of the weights; 0 keeps none (the paper)."""


@dataclass(frozen=True)
class ScheduleConfig(Config):
    """Number of steps, images per step, and the learning rate over the run."""

    iterations: Annotated[PositiveInt, Flag("N", Panel.SCHEDULE, _RECIPE, when_resumed=True)] = (
        40_000
    )
    """Steps of the optimiser."""
    epochs: Annotated[Amount, Flag("N", Panel.SCHEDULE, _RECIPE, when_resumed=True)] = 0.0
    """Passes over the images; where they take more steps than `iterations`, these count."""
    images_per_batch: PositiveInt = 2
    """Images per step, N (§2.3)."""
    lr_schedule: Literal["step", "cosine"] = "step"
    """Step: times `lr_gamma` at each of `lr_steps`. Cosine: to zero over the run."""
    lr_steps: tuple[Fraction, ...] = (0.75,)
    """Fractions of the run at which a step schedule drops (30k of 40k, §2.3)."""
    lr_gamma: Amount = 0.1
    """Factor of a drop (§2.3)."""
    warmup_steps: Count = 0
    """Steps of linear warm-up from a tenth of the rate (none in the paper)."""
    stage_wise: Annotated[bool, Flag("", Panel.SCHEDULE)] = False
    """First half of the steps: classes, no boxes. Second half: the box layer alone (§5.1, Table 6).
    The flag doubles the steps of the recipe; `iterations` counts both halves."""


@dataclass(frozen=True)
class SamplingConfig(Config):
    """Choice of the objects and RoIs that a step trains on."""

    rois_per_image: PositiveInt = 64
    """RoIs sampled from each image, R / N (§2.3)."""
    foreground_fraction: Fraction = 0.25
    """Share of the sampled RoIs that overlap an object (§2.3)."""
    foreground_iou: Fraction = 0.5
    """IoU with an object from which a RoI is foreground (§2.3)."""
    background_iou: tuple[float, float] = (0.1, 0.5)
    """Background RoIs have their highest IoU in this half-open range (§2.3)."""
    add_gt: bool = False
    """Ground-truth boxes join the proposals (the Caffe release, not the paper)."""
    ohem_factor: Count = 0
    """RoIs drawn for each one that trains, the hardest (Shrivastava et al. 2016); 0 is off."""
    train_on_difficult: bool = False
    """Difficult objects are trained on (Caffe release)."""
    class_balance: Fraction = 0.0
    """Images of a class in fewer than this share of them are seen more often (LVIS); 0 is off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.background_iou
        agree(
            0 <= low < high <= self.foreground_iou,
            f"background_iou {self.background_iou} does not lie below "
            f"foreground_iou {self.foreground_iou}",
            "use 0 <= low < high <= foreground_iou",
        )


@dataclass(frozen=True)
class LossConfig(Config):
    """The multi-task loss (§2.3, Eq. 1)."""

    box_loss_weight: Amount = 1.0
    """λ of the multi-task loss (§2.3, Eq. 1); 0 trains no boxes: proposals stay as they are."""
    label_smoothing: FractionBelowOne = 0.0
    """Probability that the class loss spreads over all classes (Szegedy et al. 2016); 0 is off."""
    class_statistics: bool = False
    """Box targets are normalised per class, and folded into the weights (Caffe release)."""


@dataclass(frozen=True)
class AugmentationConfig(Config):
    """Random changes and resizing of an image before it is trained on."""

    flip_prob: Annotated[Fraction, Flag("P", Panel.IMAGES, _RECIPE)] = 0.5
    """Probability of a left-right flip (§2.3)."""
    flip_copies: bool = False
    """Every image twice in each pass, once flipped, and none drawn (Caffe release)."""
    crop_prob: Annotated[Fraction, Flag("P", Panel.IMAGES, _RECIPE)] = 0.0
    """Probability of a random crop, sides at least half the image's (none in the paper)."""
    photometric: Annotated[Fraction, Flag("P", Panel.IMAGES, _RECIPE)] = 0.0
    """Brightness, contrast and saturation times 1 ± this at most; 0 leaves them (the paper)."""
    short_sides: Annotated[tuple[Side, ...], Meta(min_length=1)] = (600,)
    """One of these scales (pixels of the short side) is drawn for each image (§2.4)."""
    long_side: Side = 1000
    """Cap on the long side while training, pixels (§4)."""


@dataclass(frozen=True)
class ValidationConfig(Config):
    """Times of checkpoints and evaluations, and the images scored."""

    checkpoint_every: Annotated[
        PositiveInt, Flag("N", Panel.EVALUATION, _RECIPE, when_resumed=True)
    ] = 500
    """Steps between checkpoints."""
    eval_every: Annotated[Count, Flag("N", Panel.EVALUATION, when_resumed=True)] = 0
    """Steps between evaluations on `eval_split`; 0 evaluates at each checkpoint."""
    eval_split: Annotated[str, Flag("NAME", Panel.EVALUATION, when_resumed=True)] = "val"
    """Images that choose the best checkpoint, where none of them is trained on."""
    validation_images: Count = 200
    """Images of `eval_split` scored at each evaluation, spread over it; 0: none."""
    final_eval: bool = True
    """At its end a run is scored on all of `eval_split`, or else of `test`, if that is held out."""
    patience: Annotated[Count, Flag("N", Panel.EVALUATION, when_resumed=True)] = 0
    """Evaluations without a better mAP after which the run ends; 0 never ends it."""


@dataclass(frozen=True)
class TrainConfig(Config):
    """A training recipe; the defaults are the paper's (§2.3, §4).

    In `frcnn.toml` all of these stand in one table, `[train]`: no two have the same name.
    """

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    precision: Annotated[Literal["auto", "float32", "bfloat16"], Flag("NAME", Panel.SCHEDULE)] = (
        "auto"
    )
    """Precision of the forward pass; auto is bfloat16 if the device supports it, else float32."""
    seed: Annotated[Count, Flag("N", Panel.SCHEDULE)] = 0
    """Seed of all random numbers: initialisation, order, flips, scales, RoIs and dropout."""

    def __post_init__(self) -> None:
        super().__post_init__()
        agree(
            not (self.schedule.stage_wise and self.loss.box_loss_weight == 0),
            "stage_wise has nothing to train in its second stage with box_loss_weight 0",
            "choose one of the two",
        )
        agree(
            not (self.schedule.stage_wise and self.sampling.ohem_factor),
            "stage_wise has no loss of both kinds by which ohem_factor could choose",
            "choose one of the two",
        )
