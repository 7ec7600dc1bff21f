"""Every setting, as frozen dataclasses.

Defaults < recipe < `frcnn.toml` < flags. A contradiction is refused when the object is built. The
resolved objects are saved beside a run's checkpoints.
"""

from frcnn_cli.config.file import SECTIONS, load_file, override
from frcnn_cli.config.sections import (
    BackboneName,
    DetectConfig,
    DetectionFormat,
    Engine,
    EvalConfig,
    InputConfig,
    Metric,
    ModelConfig,
    OutputFormat,
    Pool,
    Precision,
    Preset,
    ProposalConfig,
    SpeedConfig,
    VocMetric,
)
from frcnn_cli.config.train import TrainConfig

__all__ = [
    "SECTIONS",
    "BackboneName",
    "DetectConfig",
    "DetectionFormat",
    "Engine",
    "EvalConfig",
    "InputConfig",
    "Metric",
    "ModelConfig",
    "OutputFormat",
    "Pool",
    "Precision",
    "Preset",
    "ProposalConfig",
    "SpeedConfig",
    "TrainConfig",
    "VocMetric",
    "load_file",
    "override",
]
