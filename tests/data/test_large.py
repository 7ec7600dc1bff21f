"""A million annotations are listed in bounded memory: what each costs, on fewer of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frcnn_cli.data.formats.find import find_dataset
from frcnn_cli.data.inspect.summary import summarize
from support.datasets import coco, write_image, year, yolo

IMAGES = 100
EACH = 100
MILLION = 1_000_000


@contextmanager
def peak() -> Iterator[Callable[[], int]]:
    """Yields a function that returns the most bytes that were held at once."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_a_million_annotations_of_coco_take_less_than_300_megabytes(tmp_path: Path) -> None:
    """The file is mapped, an annotation is 41 bytes in arrays, and 1 entry at a time is decoded."""
    write_image(tmp_path / "images" / "0.jpg")
    images = [{"id": i, "file_name": f"{i}.jpg"} for i in range(IMAGES)]
    annotations = [
        {"image_id": i, "category_id": 10, "bbox": [k % 30, 1, 5, 5.5], "segmentation": [[k] * 60]}
        for i in range(IMAGES)
        for k in range(2 * EACH)
    ]
    coco(tmp_path / "annotations" / "instances.json", images, annotations)
    count = len(annotations)
    del annotations
    with peak() as most:
        dataset = find_dataset(tmp_path)
        assert len(dataset.ids) == IMAGES
        assert most() / count * MILLION < 300e6
        assert len(dataset.classes) == 2


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["voc", "yolo"])
def test_files_of_one_image_are_not_held(tmp_path: Path, kind: str) -> None:
    """Listing takes the same whether an image has 1 object or 100; counting, one of them."""
    if kind == "voc":
        year(tmp_path, map(str, range(IMAGES)))
        files = sorted((tmp_path / "Annotations").iterdir())
        head, rest = files[0].read_text().split("<object>")
        body, tail = rest.split("</object>")
        bodies = (body.replace("<xmin>1<", f"<xmin>1.{i:02}<") for i in range(EACH))
        many = head + "".join(f"<object>{each}</object>" for each in bodies) + tail
    else:
        line = "1 0.5 0.5 0.5 0.2\n"
        yolo(tmp_path, {f"{i}.jpg": line for i in range(IMAGES)}, train="images")
        files = sorted((tmp_path / "labels").iterdir())
        many = "".join(line.replace("0.2", f"0.2{i:02}") for i in range(EACH))
    for file in files:
        file.write_text(many)
    find_dataset(tmp_path)  # what is imported and cached at the first time
    with peak() as most:
        dataset = find_dataset(tmp_path)
        assert len(dataset.ids) == IMAGES
        assert most() < 1500 * IMAGES
        assert summarize(dataset).objects == IMAGES * EACH
        assert most() < 400_000  # 10,000 objects take a million
