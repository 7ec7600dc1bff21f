"""Every setting, as frozen dataclasses.

Defaults < recipe < `frcnn.toml` < flags. A contradiction is refused when the object is built. The
resolved objects are saved beside a run's checkpoints.

`import X as X` marks a name that can be imported from here.
"""

from frcnn_cli.config.fields import Config as Config
from frcnn_cli.config.fields import flat as flat
from frcnn_cli.config.fields import from_dict as from_dict
from frcnn_cli.config.fields import override as override
from frcnn_cli.config.file import SECTIONS as SECTIONS
from frcnn_cli.config.file import Settings as Settings
from frcnn_cli.config.file import load_file as load_file
from frcnn_cli.config.sections import BackboneName as BackboneName
from frcnn_cli.config.sections import DetectConfig as DetectConfig
from frcnn_cli.config.sections import DetectionFormat as DetectionFormat
from frcnn_cli.config.sections import Engine as Engine
from frcnn_cli.config.sections import EvalConfig as EvalConfig
from frcnn_cli.config.sections import InputConfig as InputConfig
from frcnn_cli.config.sections import Metric as Metric
from frcnn_cli.config.sections import ModelConfig as ModelConfig
from frcnn_cli.config.sections import OutputFormat as OutputFormat
from frcnn_cli.config.sections import Pool as Pool
from frcnn_cli.config.sections import Precision as Precision
from frcnn_cli.config.sections import Preset as Preset
from frcnn_cli.config.sections import ProposalConfig as ProposalConfig
from frcnn_cli.config.sections import SpeedConfig as SpeedConfig
from frcnn_cli.config.sections import VocMetric as VocMetric
from frcnn_cli.config.train import AugmentationConfig as AugmentationConfig
from frcnn_cli.config.train import LossConfig as LossConfig
from frcnn_cli.config.train import OptimizerConfig as OptimizerConfig
from frcnn_cli.config.train import SamplingConfig as SamplingConfig
from frcnn_cli.config.train import ScheduleConfig as ScheduleConfig
from frcnn_cli.config.train import TrainConfig as TrainConfig
from frcnn_cli.config.train import ValidationConfig as ValidationConfig
