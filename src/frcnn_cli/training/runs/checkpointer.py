"""Work between the steps of a run: metrics, checkpoints, evaluations, early stopping."""

from __future__ import annotations

import copy
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from torch import Tensor

from frcnn_cli.cache.checkpoints import CheckpointInfo
from frcnn_cli.config import TrainConfig
from frcnn_cli.detection.detector import LoadedDetector
from frcnn_cli.errors import CacheError, FrcnnError, TrainingError
from frcnn_cli.evaluation.metrics.voc import score as evaluation_of
from frcnn_cli.model.fast_rcnn import FastRCNN
from frcnn_cli.training.batches.split_data import SplitData
from frcnn_cli.training.distributed.context import RankLostError
from frcnn_cli.training.engine.class_statistics import fold_delta_normalization
from frcnn_cli.training.engine.loop import Trainer
from frcnn_cli.training.engine.report import StepReport
from frcnn_cli.training.engine.state import last_whole_state, snapshot, trainer_state
from frcnn_cli.training.engine.step import NotFiniteError
from frcnn_cli.training.preflight.cost import checkpoint_spacing
from frcnn_cli.training.replay import save_replay
from frcnn_cli.training.runs.agreement import agree_on_folder
from frcnn_cli.training.runs.background import BackgroundWriter
from frcnn_cli.training.runs.events import TrainEvents
from frcnn_cli.training.runs.folder import RunFolder
from frcnn_cli.training.runs.scoring import match_on
from frcnn_cli.training.runs.tensorboard import Board

_PATIENCE = 10.0
"""Seconds for which a process that lost another one waits for its own training thread."""


@dataclass
class Checkpointer:
    """Writes a run's metrics, checkpoints and evaluations; one per rank, rank 0's has the folder.

    As a context manager it also saves what a failed step leaves behind.

    Attributes:
        folder: the folder to write; None in every rank but 0.
        trainer: what is trained.
        info: metadata of the checkpoints.
        evaluation: images that are not trained on; None evaluates nothing.
        events: receive steps, evaluations and the progress of detection.
        board: TensorBoard's files, or None.
        path: of the run's folder, in every rank.
        is_shared: whether this rank sees that very folder there.
    """

    folder: RunFolder | None
    trainer: Trainer
    info: CheckpointInfo
    evaluation: SplitData | None
    events: TrainEvents
    board: Board | None = None
    path: Path = field(init=False)
    is_shared: bool = field(init=False)
    _writer: BackgroundWriter = field(default_factory=BackgroundWriter, init=False)
    _scores: list[float] = field(default_factory=list, init=False)
    _waited: int = field(default=0, init=False)
    _saved: int | None = field(default=None, init=False)
    _saved_at: float = field(default=-math.inf, init=False)

    def __post_init__(self) -> None:
        self.path, self.is_shared = agree_on_folder(self.folder, self.trainer.context)
        if self.folder is not None:
            self._scores += self.folder.metrics.scores()
        self._count_evaluations()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if self.board is not None:
            self.board.close()
        try:
            self._writer.close()
        except CacheError:
            if error is None or isinstance(error, KeyboardInterrupt):
                raise  # else the first error matters more
        if isinstance(error, NotFiniteError):
            raise self._save_failed_step(error) from error
        # Whatever else ended the run came between two steps or left the weights as they were.
        if isinstance(error, RankLostError):
            self._save_lost_state()
        elif isinstance(error, FrcnnError) and not isinstance(error, CacheError):
            self._save_state()

    @property
    def config(self) -> TrainConfig:
        """The training settings."""
        return self.trainer.config

    @property
    def lost_patience(self) -> bool:
        """Whether so many evaluations in a row were no better that the run ends."""
        patience = self.config.validation.patience
        return bool(patience) and self._waited >= patience

    def on_step(self, report: StepReport) -> None:
        """Logs a step, and writes the checkpoint or evaluation that is due after it.

        Raises:
            CacheError: the files of an earlier checkpoint could not be written.
        """
        self._writer.check()
        if self.folder is not None:
            self.folder.metrics.log_step(report)
        if self.board is not None:
            self.board.stepped(report)
        self.events.stepped(report)
        # On a GPU the trainer may be a step ahead, unless it knew that a checkpoint would be due.
        if self.trainer.step == report.step and self.is_due(report.step):
            self.checkpoint(scored=self._is_scored(report.step))

    def catch_up(self) -> None:
        """Writes what a killed run had not written yet after the step that is resumed from."""
        step = self.trainer.step
        scored = self._is_scored(step)
        missing = self.folder is not None and not self.folder.has_checkpoint(step, scored)
        if any(self.trainer.context.all_reduce_sum(missing)):
            self.checkpoint(scored=scored)

    def save_interrupted(self) -> None:
        """Writes state and detector, unless those of this step are written."""
        if self._saved != self.trainer.step:
            self.checkpoint(scored=False)

    def _save_state(self) -> None:
        """Writes the state of the last whole step, unless it is written."""
        if self.folder is not None and self._saved != self.trainer.step:
            self.folder.save_state(trainer_state(self.trainer))

    def on_loss(self) -> None:
        """Writes the state of the last whole step, for a process that lost another rank.

        Called in a thread while the training waits for the lost rank, and takes no further step.
        """
        if not self.trainer.whole.acquire(timeout=_PATIENCE):  # for good
            return
        with suppress(CacheError):  # of an older state
            self._writer.close()
        self._save_lost_state()

    def _save_lost_state(self) -> None:
        """Writes the state of the last whole step; also where it was rank 0 that was lost."""
        folder = self.folder
        if folder is None and self.is_shared and self.path.is_dir():
            folder = RunFolder(self.path)
            if not folder.try_to_hold():  # rank 0, or a resumed run
                return
        step = self.trainer.steps_done()
        if folder is not None and (folder is not self.folder or self._saved != step):
            folder.save_state(last_whole_state(self.trainer))

    def checkpoint(self, *, scored: bool) -> None:
        """Writes the state, then the detector, with its mAP if it is `scored`.

        They are copied, and written while the training goes on.

        Raises:
            CacheError: the files, or those of the checkpoint before, cannot be written.
        """
        self._writer.wait()  # for memory: one checkpoint at a time
        with self.trainer.whole:
            self._saved, self._saved_at = self.trainer.step, time.monotonic()
            if self.folder is not None:
                self._writer.submit(self.folder.save_state, snapshot(trainer_state(self.trainer)))
            weights, scored_model = self._copies(scored=scored)
        score = None if scored_model is None else self._score(scored_model)
        if self.folder is not None:
            arguments = (weights, self.info, self._saved, score)
            self._writer.submit(self.folder.save_checkpoint, *arguments)
        if score is not None:
            self._scores.append(score)
            self._count_evaluations()

    def _copies(self, *, scored: bool) -> tuple[dict[str, Tensor], FastRCNN | None]:
        """Returns the detector's weights for its file, if this rank writes it, and to score it."""
        average, model = self.trainer.average, self.trainer.model
        if average is not None:
            average.swap(model)
        try:
            folded = fold_delta_normalization(model)
            weights = {} if self.folder is None else snapshot(folded.state_dict())
            return weights, copy.deepcopy(folded) if scored else None
        finally:
            if average is not None:
                average.swap(model)

    def _save_failed_step(self, error: NotFiniteError) -> TrainingError:
        """Writes the failed step for --replay, and returns the error that names the file."""
        rank = f"-rank{self.trainer.context.rank}" if self.trainer.context.world_size > 1 else ""
        path = self.path / f"replay-{error.step}{rank}.safetensors"
        try:
            save_replay(path, error, self.trainer.model, self.info, self.config)
        except CacheError:
            return error  # the first error matters more
        return TrainingError(
            error.problem, remedy=f"{error.remedy}; frcnn train --replay {path} shows where"
        )

    def _count_evaluations(self) -> None:
        """Counts evaluations since the best one, which only rank 0 knows of a resumed run."""
        scores = self._scores if self.folder is not None else []
        waited = len(scores) - 1 - scores.index(max(scores)) if scores else 0
        (self._waited,) = map(int, self.trainer.context.all_reduce_sum(waited))

    def is_due(self, step: int) -> bool:
        """Returns whether a checkpoint or evaluation is due after a step, from 1."""
        if step == self.config.schedule.iterations or self._is_scored(step):
            return True
        spacing = checkpoint_spacing(self._writer.seconds)
        passed = time.monotonic() - self._saved_at
        return step % self.config.validation.checkpoint_every == 0 and passed >= spacing

    def _is_scored(self, step: int) -> bool:
        validation, last = self.config.validation, self.config.schedule.iterations
        every = validation.eval_every or validation.checkpoint_every
        return self.evaluation is not None and (step % every == 0 or step == last)

    def _score(self, model: FastRCNN) -> float:
        """Returns the mAP of `model`, which inference modifies; do not use it afterwards."""
        assert self.evaluation is not None
        detector = LoadedDetector.of(model, self.info)
        matched = match_on(detector, self.evaluation, self.trainer.context, self.events.progress)
        score = evaluation_of(matched).mean_ap("voc07")
        if self.board is not None:
            self.board.evaluated(self.trainer.step, score)
        self.events.evaluated(self.trainer.step, score)
        return score
