"""A run's metrics: one line per step, and one per evaluation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from frcnn_cli.cache import runs
from frcnn_cli.cache.store import translate_os_errors, write_text
from frcnn_cli.plotting.curves import plot_training
from frcnn_cli.training.engine.report import StepReport

CURVES = "curves.png"
_FINAL_MAP = "final_map"


class RunMetrics:
    """The metrics file of the run in `folder`, and the picture of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows written so far."""
        return runs.read_metrics(self.folder)

    def scores(self) -> list[float]:
        """Returns the mAP of every evaluation so far."""
        return [row["map"] for row in self.rows() if "map" in row]

    def best_map(self) -> float | None:
        """Returns the highest mAP so far; None if none was measured."""
        return max(self.scores(), default=None)

    def has_map(self, step: int) -> bool:
        """Returns whether the mAP after `step` is written."""
        return any(row["step"] == step and "map" in row for row in self.rows())

    def log_step(self, report: StepReport) -> None:
        """Appends a step."""
        self._append({k: _rounded(v) for k, v in dataclasses.asdict(report).items()})

    def log_map(self, step: int, score: float) -> None:
        """Appends the mAP after a step, which may come when later steps are there already."""
        self._append({"step": step, "map": _rounded(score)})

    def truncate(self, step: int) -> None:
        """Drops what was written after `step`, and the end of the run."""
        self._write(row for row in self.rows() if row["step"] <= step and _FINAL_MAP not in row)

    def finish(self, steps: int, score: float | None) -> None:
        """Appends the score of the finished run, if it has one, and sorts the rows by step."""
        end = [] if score is None else [{"step": steps, _FINAL_MAP: _rounded(score)}]
        self._write(sorted([*self.rows(), *end], key=lambda row: row["step"]))

    def plot(self) -> None:
        """Draws losses and mAP over the steps into `curves.png`."""
        plot_training(self.rows(), self.folder / CURVES, title=self.folder.name)

    def _append(self, row: Mapping[str, Any]) -> None:
        path = self.folder / runs.METRICS
        with translate_os_errors(path), path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def _write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_text(self.folder / runs.METRICS, text)


def _rounded(value: float) -> float:
    return round(value, 6)
