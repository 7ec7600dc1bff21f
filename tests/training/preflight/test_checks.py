"""Before the first step: every problem at once, and what the run will need."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from frcnn_cli.cache.keys import content_hash
from frcnn_cli.cache.proposals import proposal_key, save_proposals
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig
from frcnn_cli.data.open import open_dataset
from frcnn_cli.proposals.search import library
from frcnn_cli.records import Sample
from frcnn_cli.training.preflight.checks import Coverage, DataCheck, RunEstimate, cover, read_all
from frcnn_cli.training.preflight.cost import Cost


def sample(
    path: Path, boxes: list[list[float]], labels: list[int], difficult: list[bool]
) -> Sample:
    arrays = np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)
    return Sample(path.stem, path, *arrays, np.array(difficult, bool))


def test_every_problem_is_listed_at_once_in_the_order_of_the_split(
    scenes: Path, tmp_path: Path
) -> None:
    shutil.copytree(scenes, tmp_path / "scenes")
    dataset = open_dataset(tmp_path / "scenes", Cache(tmp_path / "cache"))
    text, outside, far = dataset.split("trainval")[1:4]
    (tmp_path / f"scenes/JPEGImages/{text}.jpg").write_text("not an image")
    for name, digits in ((outside, "-"), (far, "9")):
        xml = tmp_path / f"scenes/Annotations/{name}.xml"
        xml.write_text(xml.read_text().replace("<xmax>", f"<xmax>{digits}", 1))
    progress: list[tuple[str, int, int]] = []

    samples, problems = read_all(dataset, "trainval", lambda *step: progress.append(step))

    assert [(problem.image_id, problem.dropped) for problem in problems] == [
        *((text, True), (outside, True), (far, True))
    ]
    assert "object 1" in str(problems[1].error)
    assert f"{outside}.xml" in str(problems[1].error)
    assert [each.image_id for each in samples] == [
        name for name in dataset.split("trainval") if name not in (text, outside, far)
    ]
    assert progress[-1] == ("Reading annotations", 10, 10)


def test_objects_are_counted_by_class_and_rare_ones_named() -> None:
    path = Path("a.jpg")
    box = [[0.0, 0, 5, 5]]
    samples = [
        sample(path, box * 12, [1] * 11 + [2], [False] * 12),
        sample(path, box * 2, [2, 2], [True, False]),
        sample(path, [], [], []),
    ]
    check = DataCheck.of("train", samples, [], ("cat", "dog", "owl"))
    assert check.objects == {"cat": 11, "dog": 2, "owl": 0}
    assert (check.images, check.background, check.difficult) == (3, 1, 1)
    assert check.warnings() == ["few objects to learn from: dog 2, owl 0"]


def test_coverage_by_hand(tmp_path: Path) -> None:
    """IoU 0.5 exactly counts; difficult objects and images not yet searched do not."""
    cache, config = Cache(tmp_path), ProposalConfig()
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    regions = np.array([[0, 0, 10, 5], [20, 20, 24, 24], [40, 40, 50, 50]], np.float32)
    save_proposals(cache, proposal_key(content_hash(one), config, library(config)), regions)
    boxes = [[0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]]
    samples = [
        sample(one, boxes, [1, 1, 1], [False, False, True]),
        sample(other, boxes[:1], [1], [False]),
    ]
    coverage = cover(samples, config, cache)
    assert coverage == Coverage(images=1, objects=2, covered=1)
    assert coverage.recall == 0.5
    assert Coverage(0, 0, 0).recall is None


@pytest.mark.parametrize(
    ("coverage", "cost", "starts"),
    [
        (Coverage(9, 10, 9), Cost(1.0, 10, 5, 10, 5, 10), []),
        (Coverage(9, 10, 7), Cost(1.0, 10, 5, None, 5, 10), ["proposals cover only 70%"]),
        (Coverage(0, 0, 0), Cost(1.0, 10, 11, 10, 11, 10), ["memory may run out", "the disk is"]),
    ],
)
def test_what_may_go_wrong(coverage: Coverage, cost: Cost, starts: list[str]) -> None:
    warnings = RunEstimate(coverage, cost).warnings()
    assert len(warnings) == len(starts)
    assert all(warning.startswith(start) for warning, start in zip(warnings, starts, strict=True))
