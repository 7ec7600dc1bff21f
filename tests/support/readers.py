"""Every reader of files that others wrote, as a function of bytes.

The invariant of all of them: a result, or an FrcnnError of one line, and nothing else.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import struct
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from PIL import Image

from frcnn_cli import config
from frcnn_cli.cache import detections, proposals
from frcnn_cli.cache.checkpoints import load_checkpoint
from frcnn_cli.cache.inventory import list_contents
from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.runs import METRICS
from frcnn_cli.cache.store import Cache, read_about
from frcnn_cli.config.recipes import recipe
from frcnn_cli.data.dataset import Dataset
from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.images import image_size, load_image
from frcnn_cli.data.inspect.summary import summarize, to_json
from frcnn_cli.data.open import open_dataset
from frcnn_cli.detection.formats.context import SplitIndex
from frcnn_cli.detection.formats.registry import read_detections
from frcnn_cli.errors import FrcnnError
from frcnn_cli.evaluation.report.build import require_report_folder
from frcnn_cli.proposals.interchange.formats import READERS as READERS_OF_PROPOSALS
from frcnn_cli.records import Sample, as_boxes
from frcnn_cli.training.pretrained import read_weights
from frcnn_cli.training.runs.folder import CONFIG, RunFolder
from frcnn_cli.training.runs.job import TrainJob

LONGEST = 3000
"""Letters of an error's line: a value may be quoted, a file may not."""


def _png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30)).save(stream, "PNG")
    return stream.getvalue()


PNG = _png()
XML = (
    b"<annotation><filename>a.png</filename><object><name>dog</name><difficult>0</difficult>"
    b"<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>20</xmax><ymax>21.5</ymax></bndbox></object>"
    b"</annotation>"
)
ENTITIES = b'<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z SYSTEM "file:///etc/passwd">]>' + XML.replace(
    b"dog", b"&x;&z;"
)
COCO = json.dumps(
    {
        "images": [{"id": 1, "file_name": "a.png", "width": 40}, {"id": 2, "file_name": "../a"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 2, 3.5, 4], "iscrowd": 0}
        ],
        "categories": [{"id": 3, "name": "dog", "supercategory": "animal"}],
    }
).encode()
DETECTIONS = json.dumps(
    {
        "schema": "frcnn.detections/1",
        "model": {"classes": ["dog"]},
        "images": [
            {
                **{"file": "a.png", "width": 40, "height": 30, "proposals": 3, "seconds": {}},
                "detections": [
                    {"label": "dog", "category_id": 1, "score": 0.5, "box": [1, 2, 20, 21.5]}
                ],
            }
        ],
    }
).encode()
RESULTS = json.dumps(
    [{"image_id": "a", "category_id": 1, "bbox": [1, 2, 3, 4.5], "score": 0.25}]
).encode()
IMPORTED = json.dumps(
    {"schema": "frcnn.proposal_boxes/1", "images": [{"file": "a.png", "boxes": [[1, 2, 3, 4.5]]}]}
).encode()
YAML = b"path: .\ntrain: images\nval: [images, list.txt]\nnames:\n  0: dog\n  1: 'no'\n"
LABELS = b"0 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.2 0.1 0.3 0.4\n"
LIST = b"a\na.png\n"
TOML = b'[train]\niterations = 3\nlr = 1e-3\n[detect]\nscore = 0.5\n[model]\nbackbone = "vgg16"\n'


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _all_of(dataset: Dataset) -> None:
    """Reads everything that a data set gives."""
    json.dumps(to_json(dataset, summarize(dataset)), allow_nan=False)
    for image_id in dataset.ids:
        path = dataset.reader.read(image_id).path
        # Nothing outside of the folder is read.
        assert path.resolve().is_relative_to(dataset.root.resolve()), path


def _voc_xml(folder: Path, content: bytes) -> None:
    _write(folder / "JPEGImages" / "a.png", PNG)
    _write(folder / "Annotations" / "a.xml", content)
    _all_of(find_dataset(folder))


def _voc_list(folder: Path, content: bytes) -> None:
    _write(folder / "JPEGImages" / "a.png", PNG)
    _write(folder / "Annotations" / "a.xml", XML)
    _write(folder / "ImageSets" / "Main" / "train.txt", content)
    _all_of(find_dataset(folder))


def _coco(folder: Path, content: bytes) -> None:
    _write(folder / "a.png", PNG)
    _write(folder / "data" / "images" / "a.png", PNG)
    _write(folder / "data" / "annotations" / "instances_train.json", content)
    _all_of(find_dataset(folder / "data"))


def _yolo(folder: Path, content: bytes, labels: bytes = LABELS, listed: bytes = b"") -> None:
    _write(folder / "images" / "a.png", PNG)
    _write(folder / "data" / "images" / "a.png", PNG)
    _write(folder / "data" / "labels" / "a.txt", labels)
    _write(folder / "data" / "list.txt", listed)
    _write(folder / "data" / "data.yaml", content)
    _all_of(find_dataset(folder / "data"))


def _detections(name: str) -> Callable[[Path, bytes], None]:
    """The reader of the detections in a file, or in the folder of a text file."""

    def read(folder: Path, content: bytes) -> None:
        image = _write(folder / "a.png", PNG)
        none = as_boxes([])
        sample = Sample("a", image, none, np.zeros(0, np.int64), np.zeros(0, bool))
        path = _write(folder / "found" / name, content)
        index = SplitIndex([sample], ["dog"], image_size)
        read_detections(path.parent if path.suffix == ".txt" else path, index)

    return read


def _toml(folder: Path, content: bytes) -> None:
    config.load_file(_write(folder / "frcnn.toml", content))


def _safetensors(folder: Path, content: bytes) -> None:
    load_checkpoint(_write(folder / "best.safetensors", content))


def _pth(folder: Path, content: bytes) -> None:
    read_weights(_write(folder / "weights.pth", content))


def _image(folder: Path, content: bytes) -> None:
    path = _write(folder / "a.jpg", content)
    try:
        size = image_size(path)
    finally:
        pixels = load_image(path)
        assert pixels.shape == (pixels.shape[0], pixels.shape[1], 3)
        assert pixels.dtype == np.uint8
    assert size == (pixels.shape[1], pixels.shape[0])


def _cache_record(folder: Path, content: bytes) -> None:
    """The record of a made split, whole, but with a content that nobody wrote."""
    for name in ("a", "b"):
        _write(folder / "data" / f"{name}.png", PNG)
        _write(folder / "data" / f"{name}.xml", XML)
    cache = Cache(folder / "cache")
    open_dataset(folder / "data", cache)
    for path in [path for path in (folder / "cache" / "splits").rglob("*") if path.is_file()]:
        cache.write("splits", path.name, content)
    _all_of(open_dataset(folder / "data", cache))


def _entry(folder: Path, kind: str, payload: bytes) -> tuple[Cache, str]:
    cache, key = Cache(folder / "cache"), key_of(of=kind)
    cache.write(kind, key, payload)
    return cache, key


def _cache_proposals(folder: Path, content: bytes) -> None:
    boxes = proposals.load_proposals(*_entry(folder, proposals.KIND, content))
    assert boxes is None or boxes.shape == (len(boxes), 4)


def _cache_detections(folder: Path, content: bytes) -> None:
    cache, key = _entry(folder, detections.KIND, content)
    found = detections.load_detections(cache, key, "a.png")
    if found is not None:
        json.dumps(found.to_json(("dog",) * max(found.detections.labels, default=0)))


def _cache_entry(folder: Path, content: bytes) -> None:
    """An entry whose checksum is right, whatever lies before it."""
    path = folder / "cache" / "things" / "ab" / ("ab" * 32)
    _write(path, content + hashlib.sha256(content).hexdigest().encode() + b"\n")
    Cache(folder / "cache").load("things", path.name, lambda content: content)
    assert isinstance(read_about(path), dict)


def _run_metrics(folder: Path, content: bytes) -> None:
    _write(folder / METRICS, content)
    run = RunFolder(folder)
    run.metrics.best_map()
    list_contents(Cache(folder))


def _run_config(folder: Path, content: bytes) -> None:
    _write(folder / CONFIG, content)
    run = RunFolder(folder)
    try:
        run.job()
    finally:
        run.require_same_data(("dog",), 3)


def _report(folder: Path, content: bytes) -> None:
    _write(folder / "report.json", content)
    require_report_folder(folder)


def _proposals(ending: str) -> Callable[[Path, bytes], None]:
    """Calls the reader itself: a process for each of thousands of files takes too long."""

    def read(folder: Path, content: bytes) -> None:
        found = READERS_OF_PROPOSALS[ending](_write(folder / f"a{ending}", content))
        assert all(rows.shape == (len(rows), 4) for rows in found.boxes)

    return read


READERS: Mapping[str, Callable[[Path, bytes], None]] = {
    "voc_xml": _voc_xml,
    "voc_list": _voc_list,
    "coco": _coco,
    "yolo_yaml": lambda folder, content: _yolo(folder, content, listed=b"images/a.png\n"),
    "yolo_labels": lambda folder, content: _yolo(folder, YAML, content),
    "yolo_list": lambda folder, content: _yolo(folder, YAML, LABELS, content),
    "detections": _detections("boxes.json"),
    "voc_results": _detections("comp4_det_test_dog.txt"),
    "yolo_results": _detections("a.txt"),
    "toml": _toml,
    "safetensors": _safetensors,
    "pth": _pth,
    "image": _image,
    "cache_record": _cache_record,
    "cache_proposals": _cache_proposals,
    "cache_detections": _cache_detections,
    "cache_entry": _cache_entry,
    "run_metrics": _run_metrics,
    "run_config": _run_config,
    "report": _report,
    "proposals_json": _proposals(".json"),
    "proposals_npz": _proposals(".npz"),
    "proposals_pkl": _proposals(".pkl"),
}


def check(name: str, content: bytes) -> None:
    """Gives `content` to the reader `name`; anything but a result or one line is an error."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            READERS[name](Path(folder), content)
        except FrcnnError as error:
            line = str(error)
            assert line.isprintable()
            assert len(line) < LONGEST, line[:200]


def _images() -> list[bytes]:
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8))
    pictures = []
    for kind, mode, options in (
        *(("PNG", "RGB", {}), ("PNG", "P", {"transparency": 0}), ("PNG", "LA", {})),
        *(("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("JPEG", "L", {"progressive": True})),
        *(("GIF", "P", {}), ("WEBP", "RGBA", {"lossless": True}), ("WEBP", "RGB", {})),
        *(("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "CMYK", {}), ("BMP", "RGB", {})),
        *(("PPM", "RGB", {}), ("JPEG2000", "RGB", {}), ("AVIF", "RGB", {}), ("TGA", "RGB", {})),
        *(("ICO", "RGB", {}), ("PCX", "RGB", {}), ("DDS", "RGB", {}), ("TIFF", "F", {})),
    ):
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        more = {"exif": exif} if kind in {"JPEG", "PNG", "WEBP"} else {}
        noise.convert(mode).save(stream, kind, **options, **more)
        pictures.append(stream.getvalue())
    return pictures


def _checkpoints() -> list[bytes]:
    tensors = {"a": np.zeros((2, 3), np.float32), "b": np.zeros(4, np.int64)}
    metadata = {
        **{"schema": "frcnn.checkpoint/1", "model": "{}", "classes": '["dog"]'},
        **{"input": "{}", "training": "{}"},
    }
    whole = safetensors.numpy.save(tensors, metadata)
    huge = struct.pack("<Q", 1 << 62) + whole[8:]
    return [whole, huge, _pickled()[0]]


def _pickled() -> list[bytes]:
    stream, old = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.zeros(3)}, stream)
    torch.save({"a": torch.zeros(3)}, old, _use_new_zipfile_serialization=False)
    call = b"cos\nsystem\n(S'touch /tmp/frcnn-was-here'\ntR."
    return [old.getvalue(), stream.getvalue(), call]


def _saved(*array: np.ndarray, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    if arrays:
        np.savez_compressed(stream, **arrays)
    else:
        np.save(stream, *array)
    return stream.getvalue()


def _kept() -> bytes:
    about = {"width": 4, "height": 3, "proposals": 2, "seconds": {"decode": 0.5}}
    return _saved(
        about=np.array(json.dumps(about)),
        boxes=np.zeros((1, 4), np.float32),
        scores=np.ones(1, np.float32),
        labels=np.ones(1, np.int64),
    )


def _job() -> bytes:
    job = TrainJob(
        Path("data"), "train", config.ModelConfig(), recipe("paper", ""), config.ProposalConfig()
    )
    return json.dumps({**job.to_json(), "classes": ["dog"], "photographs": 3}).encode()


def _proposal_pickles() -> list[bytes]:
    boxes = np.zeros((2, 4), np.float32)
    columns = {"boxes": [boxes, boxes], "ids": ["a", 7], "objectness_logits": [boxes[:, 0]] * 2}
    return [pickle.dumps(value, protocol) for value in ([boxes], columns) for protocol in (0, 2, 5)]


SEEDS: Mapping[str, Sequence[bytes]] = {
    "voc_xml": [XML, ENTITIES],
    "voc_list": [LIST],
    "coco": [COCO],
    "yolo_yaml": [YAML],
    "yolo_labels": [LABELS],
    "yolo_list": [b"images/a.png\n./images/a.png\n../images/a.png\n"],
    "detections": [DETECTIONS, RESULTS],
    "voc_results": [b"a 0.5 1 2 20 21.5\na.png 1e-3 2 2 9 9\n"],
    "yolo_results": [b"0 0.5 0.5 0.25 0.25 0.75\n"],
    "toml": [TOML],
    "safetensors": _checkpoints(),
    "pth": _pickled(),
    "image": _images(),
    "cache_proposals": [_saved(np.zeros((2, 4), np.float32)), _saved(a=np.zeros(2))],
    "cache_detections": [_kept()],
    "cache_entry": [b'payload{"a": 1}\n# frcnn.cache/2 00000008 '],
    "run_metrics": [b'{"step": 1, "loss": 0.5}\n{"step": 1, "map": 0.25}\n'],
    "run_config": [_job()],
    "report": [b'{"schema": "frcnn.analysis/1"}'],
    "proposals_json": [RESULTS, COCO, IMPORTED],
    "proposals_npz": [_saved(a=np.zeros((2, 4)), b=np.zeros((1, 5)))],
    "proposals_pkl": _proposal_pickles(),
    "cache_record": [b'{"splits": {"trainval": ["a"], "test": ["b"]}}'],
}
"""Whole files, to damage."""
