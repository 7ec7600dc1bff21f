"""The settings of everything but training; each field with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from msgspec import Meta

from frcnn_cli.config.fields import Amount, Config, Count, Flag, Fraction, Panel, Side, agree
from frcnn_cli.errors import ConfigError

Preset = Literal["fast", "quality", "single", "paper"]
Engine = Literal["opencv", "fast", "imported"]
BackboneName = Literal[
    "efficientnet_lite0", "efficientnet_lite2", "vgg16", "vgg_cnn_m_1024", "alexnet", "resnet50"
]
Pool = Literal["roi_pool", "roi_align"]
Metric = Literal["voc07", "voc10", "coco"]
VocMetric = Literal["voc07", "voc10"]
DetectionFormat = Literal["frcnn", "coco", "voc", "yolo"]
OutputFormat = Literal["frcnn", "coco", "voc", "yolo", "jsonl", "csv"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]

_SMALLEST_TILE = 64


@dataclass(frozen=True)
class ProposalConfig(Config):
    """Settings of the region search; those that decide the boxes are part of the cache key."""

    preset: Annotated[Preset, Flag("NAME", Panel.SEARCH)] = "fast"
    """fast, quality or single (OpenCV's strategies), or paper (R-CNN's MATLAB setting)."""
    engine: Annotated[Engine, Flag("NAME", Panel.SEARCH)] = "fast"
    """fast, compiled by numba at first use; opencv: the same boxes from OpenCV itself; imported:
    what `frcnn proposals --import` kept."""
    max_proposals: Annotated[Count, Flag("N", Panel.SEARCH)] = 2000
    """Max proposals per image, best first (§4.1 uses about 2,000); 0: all."""
    max_side: Annotated[Count, Flag("PIXELS", Panel.SEARCH)] = 500
    """Images with a longer side are shrunk for the search; 0: never."""
    seed: Annotated[Count, Flag("N", Panel.SEARCH)] = 0
    """Seed of the order of the boxes; it does not change the set."""
    time_limit: Annotated[Amount, Flag("SECONDS", Panel.SEARCH, "300")] = 300.0
    """Seconds after which the search of one image is given up; 0: never."""
    imported: Annotated[str, Flag("NAME", Panel.SEARCH)] = "default"
    """Name of the imported proposals; used with engine "imported" alone."""
    tiles: Annotated[Count, Flag("PIXELS", Panel.SEARCH)] = 0
    """Side of the overlapping windows in which a larger image is searched, trained on and detected
    too, each as an image of its own; `max_proposals` and `max_per_image` are then per window. 0: no
    windows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        agree(
            not 0 < self.tiles < _SMALLEST_TILE,
            f"tiles is {self.tiles}",
            f"use windows of at least {_SMALLEST_TILE} pixels, or 0",
        )

    @property
    def cap(self) -> int | None:
        """Number of an image's kept boxes that are used; None: all."""
        return None if self.tiles else self.max_proposals or None


@dataclass(frozen=True)
class ModelConfig(Config):
    """Settings of the network."""

    backbone: Annotated[str, Flag("NAME", Panel.NETWORK)] = "efficientnet_lite0"
    """efficientnet_lite0, efficientnet_lite2, resnet50, the paper's vgg16 (L), vgg_cnn_m_1024 (M)
    or alexnet (S; §4), or timm/NAME, a network of timm."""
    pool: Annotated[Pool, Flag("NAME", Panel.NETWORK)] = "roi_pool"
    """roi_pool: RoI max pooling (§2.1); roi_align: RoIAlign (Mask R-CNN §3)."""
    finetune_from: Annotated[str, Flag("LAYER", Panel.NETWORK, "the backbone's")] = ""
    """First layer that is trained, such as conv3_1 (§4.5); all trains everything, "" is the
    backbone's default."""
    fc6_rank: Count = 0
    """Rank of fc6 after truncated SVD (§3.1), as `frcnn compress` sets it; 0 is the whole layer."""
    fc7_rank: Count = 0
    """Rank of fc7 after truncated SVD (§3.1); 0 is the whole layer."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backbone not in get_args(BackboneName) and not self.backbone.startswith("timm/"):
            raise ConfigError(
                f"backbone is {self.backbone!r}",
                remedy=f"use one of {', '.join(get_args(BackboneName))} or timm/NAME",
            )


@dataclass(frozen=True)
class InputConfig(Config):
    """Size of the network's images (§4: short side 600, long side at most 1000)."""

    short_side: Annotated[Side, Flag("PX", Panel.IMAGES, "the recipe's")] = 600
    """Pixels of the shorter side. The flag of train sets it for training too."""
    long_side: Side = 1000
    """Cap on the longer side, pixels; it wins over `short_side`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        agree(
            self.long_side >= self.short_side,
            f"long_side {self.long_side} is less than short_side {self.short_side}",
            "raise long_side or lower short_side",
        )


@dataclass(frozen=True)
class DetectConfig(Config):
    """Post-processing: from class scores and deltas to detections."""

    score_threshold: Fraction = 0.05
    """Detections with a lower score are dropped."""
    nms_iou: Annotated[Fraction, Flag("IOU", name="--nms")] = 0.3
    """IoU above which the lower-scoring of two boxes of a class is dropped (NMS; §4, 0.3)."""
    max_per_image: Annotated[Count, Flag("N")] = 100
    """Detections kept per image, over all classes; 0 keeps all."""
    vote: Annotated[Fraction, Flag("IOU")] = 0.5
    """IoU from which a class's boxes vote on the place and the score of a kept box (Gidaris &
    Komodakis 2015); 0: no votes (the paper)."""
    support: Amount = 1.0
    """A box for which boxes with a total score of w vote has its score times w / (w + this)."""
    scales: tuple[Side, ...] = ()
    """Short sides in pixels: each RoI is seen where it is nearest to 224² (§2.4); empty: one."""
    longest_side: int = 2000
    """Cap on the long side at these scales, pixels (§5.2)."""


@dataclass(frozen=True)
class SpeedConfig(Config):
    """Optimizations of inference; the function stays the same, up to rounding."""

    precision: Annotated[Precision, Flag("TYPE")] = "auto"
    """Precision of the network; auto is the fastest of the device: bfloat16, else float16 on a GPU,
    else float32."""
    distinct_rois: bool = True
    """RoIs that cover the same cells of the feature map are computed once (the Caffe release)."""
    fused: bool = True
    """On a CPU, weights in its own order, and convolution and activation in one pass."""


@dataclass(frozen=True)
class EvalConfig(Config):
    """Rules by which detections are scored."""

    metric: Annotated[Metric, Flag("RULE")] = "voc07"
    """voc07 (AP at 11 points), voc10 (area under the curve) or coco."""
    match_iou: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """IoU from which a detection matches an object by the VOC rules; COCO has ten of its own."""
    score_threshold: Fraction = 0.01
    """Detections with a lower score are not scored: a precision-recall curve wants its tail."""
