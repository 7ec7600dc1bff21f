"""Every setting, as frozen dataclasses.

Defaults < recipe < `frcnn.toml` < flags. A contradiction is refused when the object is built. The
resolved objects are saved beside a run's checkpoints.
"""

from frcnn_cli.config.fields import Config, flat, from_dict, override
from frcnn_cli.config.file import SECTIONS, load_file
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
from frcnn_cli.config.train import (
    AugmentationConfig,
    LossConfig,
    OptimizerConfig,
    SamplingConfig,
    ScheduleConfig,
    TrainConfig,
    ValidationConfig,
)

__all__ = [
    "SECTIONS",
    "AugmentationConfig",
    "BackboneName",
    "Config",
    "DetectConfig",
    "DetectionFormat",
    "Engine",
    "EvalConfig",
    "InputConfig",
    "LossConfig",
    "Metric",
    "ModelConfig",
    "OptimizerConfig",
    "OutputFormat",
    "Pool",
    "Precision",
    "Preset",
    "ProposalConfig",
    "SamplingConfig",
    "ScheduleConfig",
    "SpeedConfig",
    "TrainConfig",
    "ValidationConfig",
    "VocMetric",
    "flat",
    "from_dict",
    "load_file",
    "override",
]
