"""Every reader of files that others wrote, as a function of bytes.

The invariant of all of them: a result, or an FrcnnError of one line, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from frcnn_cli import config
from frcnn_cli.cache import detections, proposals
from frcnn_cli.cache.checkpoints import load_checkpoint
from frcnn_cli.cache.inventory import list_contents
from frcnn_cli.cache.keys import key_of
from frcnn_cli.cache.runs import METRICS
from frcnn_cli.cache.store import Cache, read_about
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
from support.whole_files import LABELS, PNG, XML, YAML

LONGEST = 3000
"""Letters of an error's line: a value may be quoted, a file may not."""


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
