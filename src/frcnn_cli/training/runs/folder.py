"""A run's folder: checkpoints, resolved settings, metrics, and the state to resume from."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from torch import Tensor

from frcnn_cli.cache import checkpoints, runs
from frcnn_cli.cache.checkpoints import CheckpointInfo, read_safetensors
from frcnn_cli.cache.locks import FolderLock
from frcnn_cli.cache.store import Cache, translate_os_errors, write_text
from frcnn_cli.decoding import decode_json
from frcnn_cli.errors import CheckpointError, ConfigError
from frcnn_cli.files import link_or_copy
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.state import restore
from frcnn_cli.training.pretrained import WEIGHTS_BY_NAME
from frcnn_cli.training.runs.events import FinalScore
from frcnn_cli.training.runs.job import TrainJob
from frcnn_cli.training.runs.metrics import RunMetrics
from frcnn_cli.training.runs.reproduce import repeating_command, settings_toml

STATE = "resume.safetensors"
CONFIG = "config.json"
SETTINGS = "settings.toml"
COMMAND = "command.txt"


ValueT = TypeVar("ValueT")


class _DataAtStart(msgspec.Struct):
    """The data of a run, in its resolved settings."""

    data: str
    classes: list[str]
    images: int = msgspec.field(name="photographs")


class RunFolder:
    """The files of a run, in `<cache>/runs/<name>/`.

    One process at a time holds it, as in a `with` block, until `release`, which removes the folder
    if no run began.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = RunMetrics(path)
        self._lock: FolderLock | None = None

    @classmethod
    def new(cls, cache: Cache, name: str | None, backbone: str) -> Self:
        """Returns the folder of a new run, and holds it.

        Args:
            cache: the cache.
            name: of the run; None is the backbone and a number.
            backbone: of the network.

        Raises:
            ConfigError: the name is taken, or cannot be the name of a folder.
            CacheError: the cache cannot be written.
        """
        if name in WEIGHTS_BY_NAME:
            raise ConfigError(
                f"the run cannot be called {name!r}, which --weights and --checkpoint know",
                remedy="choose another --run",
            )
        if name is not None:
            folder = cls(runs.make_run_folder(cache, name))
            if (folder.path / STATE).exists():
                raise ConfigError(
                    f"the run {name!r} exists",
                    remedy="continue it with --resume or choose another --run",
                )
            folder.hold()
            return folder
        stem = backbone.replace("/", "-")  # timm/resnet18
        for number in count(1):
            folder = cls(runs.make_run_folder(cache, f"{stem}-{number}"))
            if folder.is_untouched() and folder.try_to_hold():
                if folder.is_untouched():  # its holder may have begun and ended meanwhile
                    return folder
                folder.release()
        raise AssertionError("numbers do not end")

    @classmethod
    def existing(cls, cache: Cache, name: str | None) -> Self:
        """Returns the folder of a run to resume: the named one, or else the newest.

        Raises:
            CheckpointError: there is no such run.
        """
        path = runs.newest_folder(cache, STATE) if name is None else runs.run_folder(cache, name)
        if path is None or not (path / STATE).is_file():
            raise CheckpointError(
                f"no run to resume{f': {name!r} has no checkpoint' if name else ''}",
                remedy="start one without --resume",
                file=path or cache.root / "runs",
            )
        return cls(path)

    def is_untouched(self) -> bool:
        """Returns whether no run has begun in the folder."""
        return not any(self.path.iterdir())

    def hold(self) -> None:
        """Locks the run until `release` or the end of this process.

        Raises:
            ConfigError: another process trains it.
        """
        if not self.try_to_hold():
            raise ConfigError(
                f"another process trains the run {self.path.name!r}",
                remedy="wait for its end, or choose another --run",
                file=self.path,
            )

    def try_to_hold(self) -> bool:
        """Locks the run if no other process holds it, and returns whether this one does now."""
        self._lock = FolderLock.acquire(self.path)
        return self._lock is not None

    def release(self) -> None:
        """Unlocks the run; removes the folder if no run began in it."""
        with suppress(OSError):
            self.path.rmdir()  # fails unless it is empty
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        if self._lock is None:
            self.hold()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def open(self, job: TrainJob, trainer: Trainer, classes: tuple[str, ...], images: int) -> str:
        """Writes the resolved settings, and truncates the metrics after the trainer's step.

        Args:
            job: what is trained.
            trainer: before the first step of this process.
            classes: names of the classes 1..K.
            images: number of images to train on.

        Returns:
            The command that repeats the run.

        Raises:
            CacheError: the folder cannot be written.
        """
        resolved = {
            **job.to_json(),
            "train": dataclasses.asdict(trainer.config),
            "classes": list(classes),
            "photographs": images,
        }
        for abandoned in self.path.glob(".*.tmp"):  # of a process that was killed while writing
            abandoned.unlink(missing_ok=True)
        settings, processes = self.path / SETTINGS, trainer.context.local_world_size
        device, cache = trainer.device.type, self.path.parents[1]
        command = repeating_command(job, settings, device, processes, cache)
        write_text(self.path / CONFIG, json.dumps(resolved, indent=2) + "\n")
        write_text(settings, settings_toml(resolved))
        self.metrics.truncate(trainer.step)
        write_text(self.path / COMMAND, command + "\n")
        return command

    def job(self) -> TrainJob:
        """Returns the job of the run, its number of steps resolved.

        Raises:
            CheckpointError: the settings are missing or damaged.
        """
        return self._config(lambda data: TrainJob.from_json(decode_json(data, dict[str, Any])))

    def require_same_data(self, classes: tuple[str, ...], images: int) -> None:
        """Raises unless a resumed run has the data that it began with.

        Raises:
            CheckpointError: the classes or the number of images differ.
        """
        saved = self._config(lambda data: decode_json(data, _DataAtStart))
        if saved.classes != list(classes) or saved.images != images:
            raise CheckpointError(
                f"the run began with {saved.images} images of "
                f"{len(saved.classes)} classes, and {saved.data} now has {images} of "
                f"{len(classes)}, or other classes",
                remedy="start a new run, with --weights naming this one's best checkpoint",
                file=self.path,
            )

    def _config(self, decode: Callable[[bytes], ValueT]) -> ValueT:
        path = self.path / CONFIG
        try:
            return decode(path.read_bytes())
        except (OSError, ValueError, ConfigError) as error:
            problem = f"cannot be used ({error})"
            raise CheckpointError(problem, remedy="start a new run", file=path) from error

    def save_state(self, state: Mapping[str, Tensor]) -> None:
        """Writes what resuming needs, a `trainer_state`.

        Raises:
            CacheError: the folder cannot be written.
        """
        checkpoints.write_safetensors(self.path / STATE, state)

    def restore(self, trainer: Trainer) -> None:
        """Puts a trainer where its state was saved.

        Raises:
            CheckpointError: the state is missing, damaged or of another network.
            ConfigError: the run has taken more steps than it is to take.
        """
        restore(trainer, read_safetensors(self.path / STATE)[0])
        if trainer.step > trainer.config.schedule.iterations:
            raise ConfigError(
                f"the run has taken {trainer.step:,} steps, more than "
                f"{trainer.config.schedule.iterations:,}",
                remedy=f"use --iterations {trainer.step} or more",
            )

    def save_checkpoint(
        self, tensors: Mapping[str, Tensor], info: CheckpointInfo, step: int, score: float | None
    ) -> None:
        """Writes `best` if no earlier checkpoint had a higher mAP, then `last`, then the mAP.

        In that order, so a killed run can tell which files are still missing. Without evaluations
        the last checkpoint is the best.

        Args:
            tensors: weights by name.
            info: metadata of the checkpoint.
            step: number of the step.
            score: its mAP; None if it was not evaluated.
        """
        before = self.metrics.best_map()
        info = dataclasses.replace(info, training={**info.training, "step": step})
        if score is not None:
            info = dataclasses.replace(info, training={**info.training, "map_val": score})
        best, last = self.path / runs.BEST, self.path / runs.LAST
        if before is None or (score is not None and score >= before):
            checkpoints.save_checkpoint(best, tensors, info)
            with translate_os_errors(last):
                link_or_copy(best, last)
        else:
            checkpoints.save_checkpoint(last, tensors, info)
        if score is not None:
            self.metrics.log_map(step, score)

    def finish(self, steps: int, score: FinalScore | None) -> None:
        """Notes the end of the run in its best checkpoint, and its score there and in the metrics.

        The scores of its detections are calibrated from then on.

        Args:
            steps: number of steps taken.
            score: of the best checkpoint.
        """
        best = self.path / runs.BEST
        tensors, info = checkpoints.load_checkpoint(best)
        facts: dict[str, Any] = {"finished": steps}
        if score is not None:
            facts |= {"map": score.map, "map_split": score.split, "map_images": score.images}
        self.metrics.finish(steps, None if score is None else score.map)
        calibration = info.calibration if score is None else score.calibration
        info = dataclasses.replace(
            info, training={**info.training, **facts}, calibration=calibration
        )
        checkpoints.save_checkpoint(best, tensors, info)

    def has_checkpoint(self, step: int, scored: bool) -> bool:
        """Returns whether `last` is of this step and, if it is to be `scored`, its mAP written."""
        try:
            _, info = checkpoints.load_checkpoint(self.path / runs.LAST)
        except CheckpointError:
            return False
        return info.training["step"] == step and (not scored or self.metrics.has_map(step))
