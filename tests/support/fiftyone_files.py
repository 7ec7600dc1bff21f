"""A stand-in for FiftyOne, which is large: it reads COCO files as FiftyOne documents to do.

docs.voxel51.com/integrations/coco.html, "Loading COCO-formatted data"
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pycocotools.coco import COCO

_MODULES = ("fiftyone", "fiftyone.utils", "fiftyone.utils.coco")


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes `import fiftyone` import this, until the end of the test."""
    modules = {name: ModuleType(name) for name in _MODULES}
    top, utils, coco = (modules[name] for name in _MODULES)
    parts: list[tuple[ModuleType, dict[str, Any]]] = [
        (coco, {"add_coco_labels": _add_coco_labels}),
        (utils, {"coco": coco}),
        (top, {"utils": utils, "types": SimpleNamespace(COCODetectionDataset="COCO")}),
        (top, {"Dataset": _Dataset, "launch_app": lambda _: None}),
    ]
    for module, names in parts:
        module.__dict__.update(names)
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)


class _Dataset:
    """Images by their COCO id, which must be files, and their objects."""

    def __init__(self, labels: COCO) -> None:
        self.labels = labels

    @classmethod
    def from_dir(
        cls, *, dataset_type: str, data_path: str, labels_path: str, include_id: bool, **_: Any
    ) -> _Dataset:
        assert (dataset_type, include_id) == ("COCO", True)
        labels = COCO(labels_path)
        assert labels.anns
        for image in labels.imgs.values():
            assert (Path(data_path) / image["file_name"]).is_file()
        return cls(labels)


def _add_coco_labels(
    dataset: _Dataset, field: str, path: str, categories: list[dict[str, Any]], coco_id_field: str
) -> None:
    assert (field, coco_id_field) == ("frcnn", "coco_id")
    found = dataset.labels.loadRes(path)  # which refuses ids of other images
    assert found.anns
    assert {each["category_id"] for each in found.anns.values()} <= {
        each["id"] for each in categories
    }
