"""Whole files of every kind that frcnn reads, to damage: by reader, see `readers.py`."""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from PIL import Image

from frcnn_cli import config
from frcnn_cli.config.recipes import recipe
from frcnn_cli.training.runs.job import TrainJob


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
