"""A run's folder: checkpoints, the resolved configuration, metrics, what resuming needs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from frcnn_cli.cache import checkpoints, runs
from frcnn_cli.cache.checkpoints import CheckpointInfo, read_safetensors
from frcnn_cli.cache.store import Cache, atomic_file, told_as_cache_error
from frcnn_cli.config import TrainConfig
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.pipelines.train_job import TrainJob
from frcnn_cli.training.loop import StepReport
from frcnn_cli.viz.curves import plot_training

STATE = "resume.safetensors"
CONFIG = "config.json"
CURVES = "curves.png"


class RunFolder:
    """What a run leaves behind, in `<cache>/runs/<name>/`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def new(cls, cache: Cache, name: str | None, backbone: str) -> RunFolder:
        """Returns a folder that no run has used; without a name, the backbone's and a number.

        Raises:
            ConfigError: the name is taken, or cannot be a folder's.
            CacheError: the cache cannot be written.
        """
        if name is None:
            taken = (f"{backbone}-{i}" for i in range(1, 1_000_000))
            name = next(n for n in taken if not runs.run_folder(cache, n).exists())
        elif (runs.run_folder(cache, name) / STATE).exists():
            raise ConfigError(
                f"the run {name!r} exists", remedy="go on with --resume or choose another --run"
            )
        return cls(runs.make_run_folder(cache, name))

    @classmethod
    def existing(cls, cache: Cache, name: str | None) -> RunFolder:
        """Returns the folder of a run that can go on: the one named, or else the newest.

        Raises:
            CheckpointError: there is none.
        """
        if name is None:
            newest = runs.newest_checkpoint(cache, STATE)
            path = None if newest is None else newest.parent
        else:
            path = runs.run_folder(cache, name)
        if path is None or not (path / STATE).is_file():
            raise CheckpointError(
                f"no run to resume{f': {name!r} has no checkpoint' if name else ''}",
                remedy="start one without --resume",
                file=path or cache.root / "runs",
            )
        return cls(path)

    def open(
        self,
        job: TrainJob,
        config: TrainConfig,
        classes: tuple[str, ...],
        photographs: int,
        resume_at: int,
    ) -> None:
        """Writes the resolved configuration and cuts the metrics off behind step `resume_at`.

        Raises:
            CacheError: the folder cannot be written.
        """
        resolved = {
            **job.to_json(),
            "train": dataclasses.asdict(config),
            "classes": list(classes),
            "photographs": photographs,
        }
        self._write(CONFIG, json.dumps(resolved, indent=2) + "\n")
        kept = [row for row in self.metrics() if row["step"] <= resume_at]
        self._write(runs.METRICS, "".join(json.dumps(row) + "\n" for row in kept))

    def job(self) -> TrainJob:
        """Returns what the run was started with, its schedule resolved.

        Raises:
            CheckpointError: the configuration is missing or damaged.
        """
        path = self.path / CONFIG
        try:
            return TrainJob.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise CheckpointError(
                f"cannot be used ({error})", remedy="start a new run", file=path
            ) from error

    def require_same_data(self, classes: tuple[str, ...], photographs: int) -> None:
        """Makes sure that a run goes on with the data that it began with.

        Raises:
            CheckpointError: the classes, or the number of photographs, are others.
        """
        saved = json.loads((self.path / CONFIG).read_text(encoding="utf-8"))
        if saved["classes"] != list(classes) or saved["photographs"] != photographs:
            raise CheckpointError(
                f"the run began with {saved['photographs']} photographs of "
                f"{len(saved['classes'])} classes, and {saved['data']} now has {photographs} of "
                f"{len(classes)}, or other classes",
                remedy="start a new run, with --weights naming this one's best checkpoint",
                file=self.path,
            )

    def has_validated(self, step: int) -> bool:
        """Returns whether the mAP after `step` is known."""
        return any(row["step"] == step and "map" in row for row in self.metrics())

    def log_step(self, report: StepReport) -> None:
        """Appends a step to the metrics."""
        self._append({k: _rounded(v) for k, v in dataclasses.asdict(report).items()})

    def metrics(self) -> list[dict[str, Any]]:
        """Returns the rows written so far."""
        return runs.read_metrics(self.path)

    def save_state(self, state: Mapping[str, Tensor]) -> None:
        """Writes what resuming needs.

        Raises:
            CacheError: the folder cannot be written.
        """
        checkpoints.write_safetensors(self.path / STATE, state)

    def load_state(self) -> dict[str, Tensor]:
        """Returns what `save_state` wrote.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        return read_safetensors(self.path / STATE)[0]

    def save_checkpoint(
        self, tensors: Mapping[str, Tensor], info: CheckpointInfo, step: int, score: float | None
    ) -> None:
        """Writes `last`, and `best` if no checkpoint before had a higher mAP on `val`.

        Without validation the last is the best.
        """
        before = self.best_map()
        if score is not None:
            self._append({"step": step, "map": _rounded(score)})
            info = dataclasses.replace(info, training={**info.training, "map_val": score})
        checkpoints.save_checkpoint(self.path / runs.LAST, tensors, info)
        if before is None or (score is not None and score >= before):
            checkpoints.save_checkpoint(self.path / runs.BEST, tensors, info)

    def best_map(self) -> float | None:
        """Returns the highest mAP on `val` so far; None where none was measured."""
        return max((row["map"] for row in self.metrics() if "map" in row), default=None)

    def best(self) -> tuple[Path, float | None]:
        """Returns the best checkpoint and its mAP on `val`, if it was measured."""
        return self.path / runs.BEST, self.best_map()

    def plot(self) -> None:
        """Draws losses and mAP over the steps into `curves.png`."""
        plot_training(self.metrics(), self.path / CURVES, title=self.path.name)

    def _append(self, row: Mapping[str, Any]) -> None:
        path = self.path / runs.METRICS
        with told_as_cache_error(path), path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        with told_as_cache_error(path), atomic_file(path) as stream:
            stream.write(text.encode())


def _rounded(value: float) -> float:
    return round(value, 6)
