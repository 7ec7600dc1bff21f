"""The bundled detector in onnxruntime, against ours on real images."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch

from frcnn_cli import find_proposals
from frcnn_cli.acceleration.onnx_inference import OnnxInference
from frcnn_cli.cache.checkpoints import load_checkpoint, save_checkpoint
from frcnn_cli.config import DetectConfig, ProposalConfig, SpeedConfig
from frcnn_cli.data.images import load_image, resize
from frcnn_cli.deploy.onnx import OnnxExport, export_onnx
from frcnn_cli.deploy.onnx_nms import OUTPUTS, add_nms
from frcnn_cli.detection.detector import BUNDLED, DetectionJob, LoadedDetector, load_model
from frcnn_cli.detection.inputs import ImageInput
from frcnn_cli.detection.loop import detect_image
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.model.batch import prepare
from frcnn_cli.records import Detections
from support.pages import snippets

SCORE = 1e-4
PIXELS = 0.02

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> OnnxExport:
    folder = tmp_path_factory.mktemp("onnx")
    tensors, info = load_checkpoint(BUNDLED)
    save_checkpoint(folder / "tiles.safetensors", tensors, replace(info, tiles=640))
    return export_onnx(folder / "tiles.safetensors", folder / "new" / "model.onnx")


def image_files() -> list[Path]:
    samples = Path(matplotlib.get_data_path()) / "sample_data"
    mini = Path(__file__).resolve().parents[3] / "shared/data/voc07-mini/VOCdevkit/VOC2007"
    return [samples / "grace_hopper.jpg", *sorted(mini.glob("JPEGImages/*.jpg"))[:3]]


@pytest.mark.slow
def test_real_images_within_the_bound(exported):
    model, info = load_model(BUNDLED)
    spec = model.eval().backbone.spec
    session = onnxruntime.InferenceSession(exported.file)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(info.classes)
    assert metadata["short_side"] == str(info.input.short_side)
    assert LoadedDetector.load(exported.file, torch.device("cpu")).info.tiles == 640
    for path in image_files():
        image = load_image(path)
        pixels, scale = resize(image, info.input)
        rois = find_proposals(path, ProposalConfig(max_proposals=300)) * scale
        chw = torch.from_numpy(pixels).permute(2, 0, 1)
        scores, boxes = session.run(None, {"image": chw[None].float().numpy(), "rois": rois})
        with torch.inference_mode():
            tensor = torch.from_numpy(rois)
            output = model([prepare(chw, spec.preprocessing, spec.stride)], [tensor])
        expected = output.class_logits.softmax(1).numpy()
        assert np.abs(scores - expected).max() < SCORE, path
        assert boxes.shape == (len(rois), 21, 4)
        height, width = pixels.shape[:2]
        assert boxes.min() >= 0
        assert (boxes.max((0, 1)) <= [width, height, width, height]).all()
        assert_detections_are_ours(path, image, scores, boxes / scale)


def assert_detections_are_ours(path, image, scores, boxes):
    """The best box of the best class is what detection finds, its speed-ups in float32 included."""
    detector = LoadedDetector.load(BUNDLED, torch.device("cpu"), SpeedConfig("float32"))
    regions = find_proposals(path, ProposalConfig(max_proposals=300))
    job = DetectionJob(detector, None, ProposalConfig(), DetectConfig(vote=0))
    found = detect_image(ImageInput(None, image, regions), job).detections
    if not len(found):
        return
    label = int(found.labels[0])
    best = scores[:, label].argmax()
    assert scores[best, label] == pytest.approx(float(found.scores[0]), abs=2 * SCORE), path
    assert boxes[best, label] == pytest.approx(found.boxes[0], abs=0.5), path


def detections(detector: LoadedDetector, path: Path, config: DetectConfig) -> Detections:
    job = DetectionJob(detector, None, ProposalConfig(max_proposals=300), config)
    return detect_image(ImageInput(path), job).detections


def assert_same(found: Detections, expected: Detections) -> None:
    assert len(found) == len(expected)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.scores, expected.scores, atol=SCORE)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=PIXELS)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_detection_with_an_exported_network_is_that_with_its_checkpoint(exported, runtime):
    pytest.importorskip(runtime)
    theirs = LoadedDetector.of_onnx(OnnxInference(exported.file, runtime, "float32"))
    ours = LoadedDetector.load(BUNDLED, torch.device("cpu"), SpeedConfig("float32"))
    assert theirs.info.classes == ours.info.classes
    for path in image_files()[:2]:
        expected = detections(ours, path, DetectConfig())
        assert len(expected)
        assert_same(detections(theirs, path, DetectConfig()), expected)
    nothing = DetectionJob(theirs, None, ProposalConfig(), DetectConfig())
    image = ImageInput(None, load_image(path), np.zeros((0, 4), np.float32))
    assert len(detect_image(image, nothing).detections) == 0


@pytest.mark.slow
def test_nms_in_the_file_gives_the_detections_of_the_paper(exported, tmp_path):
    onnx = pytest.importorskip("onnx")
    model, info = onnx.load(exported.file), load_model(BUNDLED)[1]
    add_nms(model, len(info.classes), info.input.long_side, DetectConfig())
    onnx.save(model, tmp_path / "nms.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "nms.onnx")
    assert [each.name for each in session.get_outputs()] == list(OUTPUTS)
    ours = LoadedDetector.load(BUNDLED, torch.device("cpu"), SpeedConfig("float32"))
    path = image_files()[0]
    pixels, scale = resize(load_image(path), info.input)
    rois = find_proposals(path, ProposalConfig(max_proposals=300)) * scale
    feed = {"image": pixels.transpose(2, 0, 1)[None].astype(np.float32), "rois": rois}
    boxes, scores, labels = session.run(None, feed)
    expected = detections(ours, path, DetectConfig(vote=0))
    assert_same(Detections(boxes / scale, scores, labels), expected)


@pytest.mark.slow
def test_the_snippet_of_the_page_runs(exported, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(exported.file.read_bytes())
    Path("photo.jpg").write_bytes(image_files()[0].read_bytes())
    np.savez("boxes.npz", **{"photo.jpg": find_proposals("photo.jpg")})
    (snippet,) = snippets("docs/how-to/onnx.md")
    exec(compile(snippet, "onnx.md", "exec"), {})
    assert "person" in capsys.readouterr().out


@pytest.mark.slow
def test_a_file_that_cannot_detect_is_refused(exported, tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"no graph")
    cpu = torch.device("cpu")
    with pytest.raises(CheckpointError, match=r"no\.onnx: cannot be read as ONNX"):
        LoadedDetector.load(tmp_path / "no.onnx", cpu)
    with pytest.raises(CheckpointError, match="there is no such file"):
        LoadedDetector.load(tmp_path / "missing.onnx", cpu)
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported.file)
    model.metadata_props.add(key="nms", value="{}")
    onnx.save(model, tmp_path / "nms.onnx")
    with pytest.raises(CheckpointError, match="name a file of frcnn export without --with-nms"):
        LoadedDetector.load(tmp_path / "nms.onnx", cpu)


@pytest.mark.slow
def test_the_file_records_how_close_it_is(exported):
    assert exported.score_difference < SCORE
    assert exported.box_difference < PIXELS
    assert exported.bytes == exported.file.stat().st_size


def test_a_missing_checkpoint_and_a_folder_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="there is no such file"):
        export_onnx(tmp_path / "no.safetensors", tmp_path / "model.onnx")
    with pytest.raises(ConfigError, match="is a folder"):
        export_onnx(BUNDLED, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_error_names_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxscript", None)
    with pytest.raises(ConfigError, match=r"needs onnxscript.*pip install 'frcnn-cli\[onnx\]'"):
        export_onnx(BUNDLED, tmp_path / "model.onnx")
