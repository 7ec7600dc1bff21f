"""The job of a training run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import msgspec

from frcnn_cli.config import InputConfig, ModelConfig, ProposalConfig, TrainConfig, from_dict
from frcnn_cli.config.recipes import Recipe


@dataclass(frozen=True)
class TrainJob:
    """What to train.

    Attributes:
        data: folder of the data set.
        split: images to train on.
        model: the network.
        recipe: training settings, and the size of the images that the detector will expect.
        proposals: settings of the region search.
        weights: "imagenet", "none" or a file.
    """

    data: Path
    split: str
    model: ModelConfig
    recipe: Recipe
    proposals: ProposalConfig
    weights: str = "imagenet"

    def to_json(self) -> dict[str, Any]:
        """Returns the job as JSON values, the inverse of `from_json`."""
        return {
            "data": str(self.data.resolve()),
            "split": self.split,
            "weights": self.weights,
            "model": asdict(self.model),
            "input": asdict(self.recipe.input),
            "train": asdict(self.recipe.train),
            "proposals": asdict(self.proposals),
        }

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """Returns the job that `to_json` wrote.

        Raises:
            ConfigError: a setting is unknown or out of range.
            ValueError: a field is missing or of another type.
        """
        found = msgspec.convert(saved, _Saved)
        recipe = Recipe(from_dict(TrainConfig, found.train), from_dict(InputConfig, found.input))
        return cls(
            Path(found.data),
            found.split,
            from_dict(ModelConfig, found.model),
            recipe,
            from_dict(ProposalConfig, found.proposals),
            found.weights,
        )


class _Saved(msgspec.Struct):
    """What `TrainJob.to_json` writes."""

    data: str
    split: str
    weights: str
    model: dict[str, Any]
    input: dict[str, Any]
    train: dict[str, Any]
    proposals: dict[str, Any]
