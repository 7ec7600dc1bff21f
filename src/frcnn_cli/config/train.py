"""How a detector is trained; each field with its unit and its section of the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from frcnn_cli.config.checks import agree, require
from frcnn_cli.config.sections import InputConfig, Precision

Optimizer = Literal["sgd", "adamw"]

_RANGES: Sequence[tuple[Sequence[str], Callable[[float], bool], str]] = (
    (
        ("iterations", "images_per_batch", "rois_per_image", "checkpoint_every"),
        lambda value: value > 0,
        "use 1 or more",
    ),
    (
        ("foreground_fraction", "foreground_iou", "class_balance", "flip", "crop", "photometric"),
        lambda value: 0 <= value <= 1,
        "use a fraction between 0 and 1",
    ),
    (("dropout", "ema", "label_smoothing"), lambda value: 0 <= value < 1, "use a value in [0, 1)"),
    (
        (
            *("epochs", "lr_trunk", "lr_gamma", "warmup", "momentum", "weight_decay", "bias_lr"),
            *("clip_norm", "box_loss_weight", "validation_images", "eval_every", "patience"),
            *("ohem", "seed"),
        ),
        lambda value: value >= 0,
        "use 0 or more",
    ),
)
"""Fields, what their values are, and what is said where they are not."""


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
    label_smoothing: float = 0.0
    """Probability that the class loss spreads over all classes (Szegedy et al. 2016); 0 is off."""
    ohem: int = 0
    """RoIs drawn for each one that trains, the hardest (Shrivastava et al. 2016); 0 is off."""
    stage_wise: bool = False
    """First half of the steps: classes, no boxes. Second half: the box layer alone (§5.1)."""
    class_statistics: bool = False
    """Box targets are normalised for each class, and folded into the weights (Caffe release)."""
    difficult: bool = False
    """Difficult objects are trained on (Caffe release)."""
    class_balance: float = 0.0
    """Photographs of a class in less than this share of them are seen more (LVIS); 0 is off."""
    flip: float = 0.5
    """Probability of a left-right flip (§2.3)."""
    flip_copies: bool = False
    """Every photograph twice in each pass, once flipped, and none drawn (Caffe release)."""
    crop: float = 0.0
    """Probability of a random crop, sides at least half the photograph's (none in the paper)."""
    photometric: float = 0.0
    """Brightness, contrast and saturation times 1 ± this at most; 0 leaves them (the paper)."""
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
        for names, fits, remedy in _RANGES:
            for name in names:
                value = getattr(self, name)
                require(fits(value), f"{name} is {value}", remedy)
        agree(
            not (self.stage_wise and self.box_loss_weight == 0),
            "stage_wise has nothing to learn in its second stage with box_loss_weight 0",
            "choose one of the two",
        )
        agree(
            not (self.stage_wise and self.ohem),
            "stage_wise has no loss of both kinds by which ohem could choose",
            "choose one of the two",
        )
        require(
            self.precision != "float16",
            "precision is float16, which training has no use for",
            "use bfloat16",
        )
        require(self.lr > 0, f"lr is {self.lr}", "use a positive learning rate")
        low, high = self.background_iou
        agree(
            0 <= low < high <= self.foreground_iou,
            f"background_iou {self.background_iou} does not lie below "
            f"foreground_iou {self.foreground_iou}",
            "use 0 <= low < high <= foreground_iou",
        )
        require(bool(self.short_sides), "short_sides is empty", "name at least one scale")
        for side in self.short_sides:
            InputConfig(side, max(side, self.long_side))
