"""The settings of everything but training; each field with its unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from frcnn_cli.config.checks import agree, require

Preset = Literal["fast", "quality", "single", "paper"]
Engine = Literal["opencv", "fast", "imported"]
BackboneName = Literal["efficientnet_lite0", "vgg16", "vgg_cnn_m_1024", "alexnet", "resnet50"]
Pool = Literal["roi_pool", "roi_align"]
Metric = Literal["voc07", "voc10", "coco"]
VocMetric = Literal["voc07", "voc10"]
DetectionFormat = Literal["frcnn", "coco", "voc", "yolo"]
OutputFormat = Literal["frcnn", "coco", "voc", "yolo", "jsonl", "csv"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


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
        require(self.max_side >= 0, f"max_side is {self.max_side}", "use 0 or more pixels")
        require(self.max_proposals >= 0, f"max_proposals is {self.max_proposals}", "use 0 or more")
        require(self.time_limit >= 0, f"time_limit is {self.time_limit}", "use 0 or more seconds")


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
        require(
            self.backbone in get_args(BackboneName) or self.backbone.startswith("timm/"),
            f"backbone is {self.backbone!r}",
            f"use one of {', '.join(get_args(BackboneName))} or timm/NAME",
        )
        for name in ("fc6_rank", "fc7_rank"):
            require(getattr(self, name) >= 0, f"{name} is {getattr(self, name)}", "use 0 or more")


@dataclass(frozen=True)
class InputConfig:
    """How photographs are resized for the network (§4: short side 600, long side at most 1000)."""

    short_side: int = 600
    """Pixels of the shorter side."""
    long_side: int = 1000
    """Cap on the longer side, pixels; it wins over `short_side`."""

    def __post_init__(self) -> None:
        require(self.short_side >= 32, f"short_side is {self.short_side}", "use 32 or more pixels")
        agree(
            self.long_side >= self.short_side,
            f"long_side {self.long_side} is less than short_side {self.short_side}",
            "raise long_side or lower short_side",
        )


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
            require(0 <= value <= 1, f"{name} is {value}", "use a fraction between 0 and 1")
        require(self.support >= 0, f"support is {self.support}", "use 0 or more")
        require(self.max_per_image >= 0, f"max_per_image is {self.max_per_image}", "use 0 or more")


@dataclass(frozen=True)
class SpeedConfig:
    """What a detector does to be fast; it computes the same function, but for rounding."""

    precision: Precision = "auto"
    """Numbers of the network; auto is the device's fastest: bfloat16, else float16 on a GPU."""
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
        require(0 <= self.score <= 1, f"score is {self.score}", "use a fraction between 0 and 1")
        require(0 < self.iou <= 1, f"iou is {self.iou}", "use a fraction above 0 and up to 1")
