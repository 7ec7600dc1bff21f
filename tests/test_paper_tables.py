"""The benchmark of the paper's tables: its verdicts, and what keeps its budgets apart."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import paper_tables  # noqa: E402  a script beside the package
from paper import commands  # noqa: E402
from paper.commands import Budget, Workplace  # noqa: E402

BUDGET = Budget("efficientnet_lite0", 2, 160, 0, 0)


@pytest.mark.parametrize(
    ("kind", "low", "high", "expected"),
    [
        ("better", 0.001, 0.1, "holds"),
        ("better", -0.1, -0.001, "does not hold"),
        ("better", -0.01, 0.1, "same sign, not significant"),
        ("better", -0.1, 0.01, "other sign, not significant"),
        ("little", 0.001, 0.019, "holds"),
        ("little", -0.3, -0.2, "holds"),
        ("little", 0.1, 0.2, "does not hold"),
        ("little", 0.01, 0.03, "not decided: the interval is too wide"),
        ("as good", -0.019, 0.2, "holds"),
        ("as good", -0.2, -0.1, "does not hold"),
        ("as good", -0.03, 0.2, "not decided: the interval is too wide"),
    ],
)
def test_verdicts(kind: paper_tables.Kind, low: float, high: float, expected: str) -> None:
    assert paper_tables.verdict(kind, (low + high) / 2, low, high) == expected


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "highest at 2,000 proposals, the largest number tried"),
        ([0.1, 0.2, 0.3, 0.6, 0.5, 0.48], "highest at 500 proposals, 12.0 points lower at 2,000"),
    ],
)
def test_figure_3_in_words(maps: list[float], words: str) -> None:
    assert words in paper_tables.describe_figure3([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], maps)


def test_a_folder_is_of_one_budget(scenes: Path, tmp_path: Path) -> None:
    def place(budget: Budget, splits: tuple[str, str] = ("trainval", "test")) -> Workplace:
        return Workplace(tmp_path / "state", scenes, splits, budget, tmp_path / ".frcnn")

    lists = place(BUDGET).data / "ImageSets/Main"
    before = (lists / "train.txt").read_text()
    place(BUDGET)
    with pytest.raises(
        SystemExit, match=r"budget.json: has steps 2, train_images 0; name another .* --state"
    ):
        place(replace(BUDGET, steps=6000, train_images=3))
    with pytest.raises(SystemExit, match=r"budget.json: has splits"):
        place(BUDGET, ("train", "val"))
    assert (lists / "train.txt").read_text() == before


def test_a_wrong_split_or_folder_leaves_nothing(scenes: Path, tmp_path: Path) -> None:
    def place(data: Path, split: str) -> None:
        Workplace(tmp_path / "state", data, (split, "test"), BUDGET, tmp_path / ".frcnn")

    with pytest.raises(SystemExit, match=r"has no split 'trainvall', but .*trainval"):
        place(scenes, "trainvall")
    with pytest.raises(SystemExit, match="has no ImageSets/Main"):
        place(tmp_path / "nowhere", "trainval")
    place(scenes, "trainval")


def test_results_of_an_unknown_budget_are_not_reused(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "detections").mkdir()
    (tmp_path / "detections/full.json").touch()
    with pytest.raises(SystemExit, match=r"budget\.json: has backbone None"):
        Workplace(tmp_path, scenes, ("trainval", "test"), BUDGET, tmp_path / ".frcnn")


@pytest.mark.slow
def test_one_table(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, cache = tmp_path / "state", tmp_path / "cache"
    words = [scenes, "--only", "Table 4", "--steps", "2", "--side", "160", "--test-images", "3"]
    command = [sys.executable, BENCHMARKS / "paper_tables.py", *words, "--state", state]
    subprocess.run([*command, "--cache-dir", cache], check=True, capture_output=True)
    result = json.loads((state / "table4.json").read_text())
    assert [each["a"] for each in result["claims"]] == ["svd"]
    assert set(result["seconds"]) == {"full", "svd"}
    assert (state / "table4.png").stat().st_size > 1000
    assert "truncated SVD costs little" in (state / "table4.md").read_text()
    monkeypatch.setattr(commands, "frcnn", lambda *words: pytest.fail(f"again: {words}"))
    place = Workplace(state, scenes, ("trainval", "test"), replace(BUDGET, test_images=3), cache)
    for row in ("full", "svd"):
        paper_tables.make(place, row)
