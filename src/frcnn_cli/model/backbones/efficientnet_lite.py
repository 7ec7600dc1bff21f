"""EfficientNet-Lite: the default, small enough for a laptop without a GPU.

Every convolution runs once over the image, and RoIs are pooled from its last map, a ReLU6 of 1,280
channels: the stride-16 map below it is a linear bottleneck, and its maxima destroy what the later
layers learnt. The last stage is dilated, so that this map has stride 16 too.

Batch norms are folded into their convolutions. Padding is TensorFlow's "SAME" at even sizes, which
pads a stride-2 convolution more on the right and below, and so shifts what a cell sees by half a
cell; RoIs are shifted with it (`offset`).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from frcnn_cli.model.backbones.base import Backbone, BackboneSpec, StateDict
from frcnn_cli.model.backbones.conv_unit import ConvUnit, fold_batch_norms
from frcnn_cli.model.backbones.layers import fc_head
from frcnn_cli.model.batch import Preprocessing

_STAGES = (
    # kernel, stride, expansion
    (3, 1, 1),
    (3, 2, 6),
    (5, 2, 6),
    (3, 2, 6),
    (5, 1, 6),
    (5, 2, 6),
    (3, 1, 6),
)
_FIRST_TRAINED = 3
"""The stage from which training starts by default: that of stride 16."""


@dataclass(frozen=True)
class Variant:
    """Channels and number of blocks of each stage."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]


LITE0 = Variant((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1))
LITE2 = Variant((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1))
_STRIDE = 16
_STEM_CHANNELS = 32
_CHANNELS = 1280
_EPS = 1e-3


class _Block(nn.Module):
    """An inverted residual: expand 1×1, depthwise k×k, project 1×1 (linear)."""

    def __init__(
        self, cin: int, cout: int, *, kernel: int, stride: int, dilation: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = cin * expansion
        self.expand = ConvUnit(cin, hidden, 1, activation="relu6") if expansion > 1 else None
        self.depthwise = ConvUnit(
            *(hidden, hidden, kernel, stride), dilation=dilation, groups=hidden, activation="relu6"
        )
        self.project = ConvUnit(hidden, cout, 1)
        self._residual = stride == 1 and cin == cout

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x if self.expand is None else self.expand(x)
        y = self.project(self.depthwise(y))
        return x + y if self._residual else y


def build(variant: Variant) -> Backbone:
    """Returns the network with random weights."""
    trunk: OrderedDict[str, nn.Module] = OrderedDict()
    trunk["stem"] = nn.Sequential(ConvUnit(3, _STEM_CHANNELS, 3, 2, activation="relu6"))
    cin, stride, dilation = _STEM_CHANNELS, 2, 1
    stages = zip(_STAGES, variant.channels, variant.blocks, strict=True)
    for (kernel, stage_stride, expansion), cout, blocks in stages:
        for block in range(blocks):
            step = stage_stride if block == 0 else 1
            grown = 1
            if stride * step > _STRIDE:
                # À trous: no stride here, and dilation in the layers that follow.
                step, grown = 1, step
            trunk[f"block{len(trunk) - 1}"] = _Block(
                cin, cout, kernel=kernel, stride=step, dilation=dilation, expansion=expansion
            )
            stride, dilation, cin = stride * step, dilation * grown, cout
    trunk["conv_head"] = nn.Sequential(ConvUnit(cin, _CHANNELS, 1, activation="relu6"))
    spec = BackboneSpec(
        channels=_CHANNELS,
        offset=7.5,
        pool_size=3,
        head_features=256,
        finetune_from=f"block{sum(variant.blocks[:_FIRST_TRAINED])}",
        preprocessing=Preprocessing((127.0,) * 3, (128.0,) * 3),
        convert=partial(convert, blocks=sum(variant.blocks)),
    )
    return Backbone(spec, nn.Sequential(trunk), fc_head(spec))


def convert(source: StateDict, blocks: int) -> dict[str, Tensor]:
    """Maps the published weights to the trunk's names, each batch norm folded into its convolution.

    The head is new: nothing is mapped to it.
    """
    layers = {"trunk.stem.0": ("_conv_stem", "_bn0"), "trunk.conv_head.0": ("_conv_head", "_bn1")}
    for block in range(blocks):
        theirs, ours = f"_blocks.{block}", f"trunk.block{block}"
        if block:
            layers[f"{ours}.expand"] = (f"{theirs}._expand_conv", f"{theirs}._bn0")
        layers[f"{ours}.depthwise"] = (f"{theirs}._depthwise_conv", f"{theirs}._bn1")
        layers[f"{ours}.project"] = (f"{theirs}._project_conv", f"{theirs}._bn2")
    return fold_batch_norms(source, layers, _EPS)
