"""The networks: shapes, published weights, freezing."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import nn

from frcnn_cli.config import ModelConfig
from frcnn_cli.errors import ConfigError
from frcnn_cli.model.backbones import BACKBONES, alexnet, resnet50, vgg16
from frcnn_cli.model.build import build_model
from frcnn_cli.training.pretrained import INSTALLED, installed_weights, load_initial_weights

MILITARY_UNIFORM = 652
"""ImageNet's class of the portrait that matplotlib ships."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n == "vgg16")) for n in BACKBONES],
)
def test_shapes(name: str) -> None:
    model = build_model(ModelConfig(backbone=name), num_classes=3).eval()
    spec = model.backbone.spec
    with torch.inference_mode():
        features = model.features(torch.zeros(1, 3, 96, 128))
        assert features.shape == (1, spec.channels, 96 // spec.stride, 128 // spec.stride)
        rois = torch.tensor([[0.0, 0, 96, 96]])
        output = model([torch.zeros(1, 3, 96, 128)] * 2, [rois.repeat(2, 1), rois.repeat(3, 1)])
    assert output.class_logits.shape == (5, 4)
    assert output.deltas.shape == (5, 4, 4)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_offset_is_where_a_cell_of_the_linearised_trunk_looks(name: str) -> None:
    """Means in place of weights and maxima: the gradient is symmetric about the center."""
    with torch.device("meta"):
        trunk = BACKBONES[name]()
    spec, trunk = trunk.spec, trunk.trunk.to_empty(device="cpu").requires_grad_(False)
    for module in trunk.modules():
        for key, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                nn.init.constant_(child.weight, 1 / child.weight[0].numel())
                nn.init.zeros_(child.bias)
            elif isinstance(child, nn.MaxPool2d):
                size = child.kernel_size, child.stride, child.padding
                setattr(module, key, nn.AvgPool2d(*size))
            elif isinstance(child, nn.LocalResponseNorm):
                setattr(module, key, nn.Identity())
    # So dark that residuals do not add up to where a ReLU6 is flat.
    image = torch.full((1, 3, 16, 1536), 1e-3, requires_grad=True)
    cell = 48
    trunk(image)[0, 0, 0, cell].backward()
    seen = image.grad.double().sum(dim=(0, 1, 2))
    assert seen[[0, -1]].tolist() == [0, 0], "all that the cell sees is in the image"
    center = float(seen @ (torch.arange(1536) + 0.5).double() / seen.sum())
    assert center - (cell + 0.5) * spec.stride == pytest.approx(spec.offset, abs=1e-3)


@pytest.mark.parametrize("backbone", INSTALLED)
def test_installed_weights_know_what_they_see(backbone: str) -> None:
    """Top-1 of the dilated trunk with the classifier of its own weights."""
    source = torch.load(installed_weights(backbone), weights_only=True)
    model = build_model(ModelConfig(backbone=backbone), num_classes=1)
    load_initial_weights(model, backbone, "imagenet")
    portrait = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    pixels = np.array(Image.open(portrait).convert("RGB").resize((224, 224)))
    with torch.inference_mode():
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        features = model.features(model.backbone.spec.preprocessing(image))
        logits = features.mean((2, 3)) @ source["_fc.weight"].T + source["_fc.bias"]
    assert logits.argmax().item() == MILITARY_UNIFORM


@pytest.mark.parametrize("backbone", [pytest.param(vgg16, marks=pytest.mark.slow), alexnet])
def test_fc_networks_equal_torchvision(backbone) -> None:
    """Trunk, last pooling and head give torchvision's fc7 for the same weights."""
    torch.manual_seed(0)
    reference = getattr(torchvision.models, backbone.__name__.rsplit(".", 1)[-1])().eval()
    ours = backbone.build().eval()
    ours.load_state_dict(backbone.convert(reference.state_dict()))
    image = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        features = ours.trunk(image)
        if backbone is vgg16:
            pooled = torch.nn.functional.max_pool2d(features, 2)
            torch.testing.assert_close(
                ours.head(pooled), reference.classifier[:-1](reference.features(image).flatten(1))
            )
        # AlexNet pads its poolings here, so that cells sit at multiples of the stride: the first
        # convolution is the same.
        torch.testing.assert_close(
            ours.trunk[0](image), reference.features[1](reference.features[0](image))
        )


def test_resnet50_equals_torchvision_with_its_batch_norms_folded() -> None:
    torch.manual_seed(0)
    reference = torchvision.models.resnet50()
    for module in reference.modules():  # a batch norm that does something
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.2, 0.8)
    reference.eval()
    ours = resnet50.build().eval()
    ours.load_state_dict(resnet50.convert(reference.state_dict()))
    image = torch.randn(1, 3, 96, 96)
    with torch.inference_mode():
        x = reference.maxpool(reference.relu(reference.bn1(reference.conv1(image))))
        x = reference.layer3(reference.layer2(reference.layer1(x)))
        features = ours.trunk(image)
        torch.testing.assert_close(features, x, rtol=1e-3, atol=1e-4)
        expected = reference.layer4(x).mean((2, 3))
        torch.testing.assert_close(ours.head(features), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("vgg16", "conv2_2"),
        ("alexnet", "conv1"),
        ("vgg_cnn_m_1024", "conv1"),
        ("resnet50", "conv2"),
    ],
)
def test_default_freezing_is_the_papers(name: str, frozen: str) -> None:
    """§4.5: VGG16 learns from conv3_1 up, the smaller networks from conv2 up."""
    with torch.device("meta"):
        layers = build_model(ModelConfig(backbone=name), 2).backbone.layers()
    trained = {n: next(layer.parameters()).requires_grad for n, layer in layers.items()}
    names = list(trained)
    edge = names.index(frozen) + 1
    assert not any(trained[n] for n in names[:edge])
    assert all(trained[n] for n in names[edge:])


def test_frozen_layers_do_not_move() -> None:
    model = build_model(ModelConfig(backbone="alexnet", finetune_from="conv4"), 2)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    output = model([torch.randn(1, 3, 64, 64)], [torch.tensor([[0.0, 0, 64, 64]])])
    (output.class_logits.sum() + output.deltas.sum()).backward()
    optimizer.step()
    moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert "backbone.trunk.conv4.0.weight" in moved
    assert not any(n.startswith(f"backbone.trunk.conv{i}") for n in moved for i in (1, 2, 3))


def test_an_unknown_layer_is_refused() -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match="all or one of conv1, conv2"):
        build_model(ModelConfig(backbone="alexnet", finetune_from="conv9"), 2)


def test_caffe_weights_want_bgr() -> None:
    preprocessing = BACKBONES["vgg_cnn_m_1024"]().spec.preprocessing
    red = torch.zeros(3, 1, 1, dtype=torch.uint8)
    red[0] = 255
    channels = preprocessing(red).flatten().tolist()
    assert channels == pytest.approx([-102.9801, -115.9465, 255 - 122.7717], rel=1e-6)
