"""The detector that is meant: a file, a run, the newest run, or the bundled one."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from frcnn_cli.cache.runs import BEST, RunState, run_folder, run_states
from frcnn_cli.cache.store import Cache
from frcnn_cli.config import ProposalConfig, Settings
from frcnn_cli.detection.detector import BUNDLED
from frcnn_cli.errors import CheckpointError, ConfigError, some_of
from frcnn_cli.files import advice_on_missing

_LOGGER = logging.getLogger(__name__)
BUNDLED_NAME = "bundled"
"""Chooses the detector that comes with the package."""


@dataclass(frozen=True)
class ChosenCheckpoint:
    """A checkpoint that was chosen.

    Attributes:
        file: where it is.
        words: what it is, such as "run fruit-2, stopped at step 19 of 40".
    """

    file: Path
    words: str

    @property
    def name(self) -> str:
        """Name in files: "bundled", or its path; both choose it again."""
        return BUNDLED_NAME if self.file == BUNDLED else str(self.file)


def choose_checkpoint(named: Path | None, cache: Cache, run: str | None = None) -> ChosenCheckpoint:
    """Returns the checkpoint that a user means.

    Args:
        named: a file, the folder or the name of a run, or "bundled"; None is the newest run that is
            finished, else the newest, else the bundled one.
        cache: holds the runs.
        run: name of a run, in place of `named`.

    Raises:
        CheckpointError: there is no such file or run.
        ConfigError: `named` and `run` are both given.
    """
    if run is not None:
        if named is not None:
            raise ConfigError(f"--run {run} and {named} are both given", remedy="use one of them")
        folder = run_folder(cache, run)
        return _best_of(folder) or _missing(f"there is no run {run!r} with a checkpoint", cache)
    if named is None:
        newest = next(iter(run_states(cache)), None)
        return _of_run(newest) if newest else ChosenCheckpoint(BUNDLED, BUNDLED_NAME)
    if named.is_file():
        return ChosenCheckpoint(named, str(named))
    found = find_checkpoint(named, cache) or _run_called(named, cache)
    if found is None and named.is_dir():
        raise CheckpointError(
            f"is a folder without {BEST}",
            remedy="name the folder of a run, such as .frcnn/runs/NAME, or a checkpoint in it",
            file=named,
        )
    return found or _missing(
        f"there is no file and no run {str(named)!r}", cache, advice_on_missing(named)
    )


def proposals_for(
    trained_tiles: int, settings: Settings, tiles: int | None = None
) -> ProposalConfig:
    """Returns how regions are searched for a detector: in the windows in which it was trained.

    Args:
        trained_tiles: side of these windows; 0: none.
        settings: of `frcnn.toml`, which may set other windows.
        tiles: other windows, if not None.
    """
    config = settings.apply(ProposalConfig(tiles=trained_tiles), tiles=tiles)
    if trained_tiles and config.tiles == trained_tiles and tiles is None:
        _LOGGER.info("images are seen in tiles of %d pixels, as in training", trained_tiles)
    return config


def find_checkpoint(named: Path, cache: Cache) -> ChosenCheckpoint | None:
    """Returns the checkpoint that is called so; None if there is none, or another kind of file."""
    if named == Path(BUNDLED_NAME):
        return ChosenCheckpoint(BUNDLED, BUNDLED_NAME)
    if named.is_file() and named.suffix in (".safetensors", ".onnx"):
        return ChosenCheckpoint(named, str(named))
    return _best_of(named) if os.path.lexists(named) else _run_called(named, cache)


def _run_called(named: Path, cache: Cache) -> ChosenCheckpoint | None:
    try:
        return _best_of(run_folder(cache, str(named)))
    except ConfigError:  # a path
        return None


def _best_of(folder: Path) -> ChosenCheckpoint | None:
    state = RunState.of(folder)
    return None if state is None else _of_run(state)


def _of_run(state: RunState) -> ChosenCheckpoint:
    return ChosenCheckpoint(state.folder / BEST, str(state))


def _missing(problem: str, cache: Cache, advice: str = "name another run") -> NoReturn:
    names = [state.folder.name for state in run_states(cache)]
    known = f"runs are: {some_of(names)}" if names else f"{cache.root} has no runs"
    raise CheckpointError(problem, remedy=f"{advice}; {known}")
