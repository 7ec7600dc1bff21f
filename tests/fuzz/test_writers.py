"""Any class names through every writer: they come back as they were, or are refused in one line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frcnn_cli.detection.formats.registry import WORDS, open_writer, read_detections
from frcnn_cli.detection.formats.writer import WriterContext
from frcnn_cli.errors import FrcnnError
from support.fuzzing import fuzzed
from support.samples import image, known, sample

SAMPLES = [sample("a")]
NAMES = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=4, unique=True)


@pytest.mark.parametrize("kind", WORDS)
@fuzzed
@given(names=NAMES)
def test_class_names(kind: str, names: list[str]) -> None:
    classes = tuple(names)
    rows = [(label, 0.5 - label / 100, (1, 2, 30, 40)) for label in range(1, len(classes) + 1)]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "found"
        try:
            with open_writer(kind, target, WriterContext(classes)) as writer:
                writer.write(image("x/a.jpg", *rows))
        except FrcnnError as error:
            assert str(error).isprintable()
            assert list(Path(folder).iterdir()) == []
            return
        assert [each.name for each in Path(folder).iterdir()] == ["found"]
        _, read = read_detections(target, known(SAMPLES, classes))
    assert read["a"].labels.tolist() == [row[0] for row in rows]
