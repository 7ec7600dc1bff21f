"""Networks of timm: the features are timm's own, frozen norms stay, places are right."""

from __future__ import annotations

import pickle
import sys

import pytest
import torch

from frcnn_cli.config import ModelConfig
from frcnn_cli.config.recipes import recipe
from frcnn_cli.errors import ConfigError
from frcnn_cli.model.backbones import timm_features
from frcnn_cli.model.build import build_model
from frcnn_cli.training.engine.dropout import set_dropout

timm = pytest.importorskip("timm")

FAMILIES = ("resnet18", "mobilenetv3_small_050", "convnext_atto")
OTHERS = ("regnetx_002", "hgnetv2_b0")


@pytest.mark.parametrize("name", FAMILIES + OTHERS)
def test_shapes(name):
    model = build_model(ModelConfig(backbone=f"timm/{name}"), 3).eval()
    spec = model.backbone.spec
    with torch.inference_mode():
        features = model.features(torch.zeros(1, 3, 96, 128))
        assert features.shape == (1, spec.channels, 6, 8)
        output = model([torch.zeros(1, 3, 96, 128)], [torch.tensor([[0.0, 0, 96, 96]])])
    assert output.class_logits.shape == (1, 4)


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_of_the_whole_network_give_timms_own_features(name):
    torch.manual_seed(0)
    dilated = {} if name.startswith("mobilenet") else {"output_stride": 16}
    whole = timm.create_model(name, pretrained=False, **dilated)
    for module in whole.modules():  # norms that do something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 1.5)
    whole.eval()
    ours = timm_features.build(name)
    ours.load_state_dict(ours.spec.convert(whole.state_dict()), strict=False)
    ours.train()  # norms are frozen: they take the statistics that they came with
    image = torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        if dilated:
            expected = whole.forward_intermediates(image, intermediates_only=True)[-1]
        else:  # timm dilates a MobileNetV3 only where it gives features, under the same names
            features = timm.create_model(name, features_only=True, output_stride=16).eval()
            assert not features.load_state_dict(whole.state_dict(), strict=False).missing_keys
            expected = features(image)[-1]
        torch.testing.assert_close(ours.trunk(image), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "offset"),
    [("resnet18", -7.5), ("convnext_atto", 0.0), ("tf_efficientnet_lite0", 7.5)],
)
def test_where_cells_see(name, offset):
    """Worked by hand: ResNet's first cell sees around pixel 0, ConvNeXt's around pixel edge 8."""
    assert timm_features.build(name).spec.offset == offset


def test_the_offset_is_that_of_our_own_copy_of_the_network():
    ours = build_model(ModelConfig(), 1).backbone.spec
    assert timm_features.build("tf_efficientnet_lite0").spec.offset == ours.offset


@pytest.mark.parametrize(
    ("name", "first"),
    [("resnet18", "layer2"), ("mobilenetv3_small_050", "blocks_1"), ("convnext_atto", "stages_1")],
)
def test_layers_below_stride_8_are_frozen(name, first):
    backbone = build_model(ModelConfig(backbone=f"timm/{name}"), 2).backbone
    names = list(backbone.layers())
    for layer_name, layer in backbone.layers().items():
        trained = {parameter.requires_grad for parameter in layer.parameters()}
        assert trained == {names.index(layer_name) >= names.index(first)}, layer_name


def test_no_batch_norm_learns_or_counts():
    model = build_model(ModelConfig(backbone="timm/resnet18", finetune_from="all"), 2).train()
    before = {n: t.clone() for n, t in model.state_dict().items() if ".bn" in n}
    assert before
    assert not any(".bn" in name for name, _ in model.named_parameters())
    model([torch.randn(1, 3, 64, 64)], [torch.tensor([[0.0, 0, 64, 64]])])
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())


def test_dropout_is_the_heads():
    model = build_model(ModelConfig(backbone="timm/convnext_atto"), 2)
    set_dropout(model, 0.5)
    assert not any(isinstance(m, torch.nn.Dropout) for m in model.backbone.trunk.modules())


def test_normalisation_is_that_of_the_weights():
    spec = timm_features.build("tf_efficientnet_lite0").spec
    assert spec.preprocessing.mean == pytest.approx((127.5,) * 3)
    assert spec.preprocessing.std == pytest.approx((127.5,) * 3)


def test_the_facts_of_a_backbone_travel_to_loading_processes():
    spec = timm_features.build("resnet18").spec
    assert pickle.loads(pickle.dumps(spec)).stride == 16


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet81", r"timm has no network 'resnet81'; use resnet18 or"),
        ("vit_tiny_patch16_224", "does not take images of any size"),
        ("swin_tiny_patch4_window7_224", "swin_tiny_patch4_window7_224"),
    ],
)
def test_what_cannot_be_a_backbone_is_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        timm_features.build(name)


def test_without_timm_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ConfigError, match=r"needs timm.*pip install 'frcnn-cli\[timm\]'"):
        timm_features.build("resnet18")


def test_a_backbone_of_no_kind():
    with pytest.raises(ConfigError, match=r"backbone is 'vgg61'; use one of .* or timm/NAME"):
        ModelConfig(backbone="vgg61")


def test_the_default_recipe_is_that_of_the_same_head():
    assert recipe("default", "timm/resnet18") == recipe("default", "efficientnet_lite0")
    assert recipe("paper", "timm/resnet18") == recipe("paper", "vgg16")
