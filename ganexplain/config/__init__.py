"""Every setting with its default, range and meaning: one frozen dataclass per stage.

The command line is made from these classes (a field is an option, the docstring is the help
text), and so is the `config.toml` of a run. Nothing slow is imported here, so that
`ganexplain --help` stays fast.
"""

from __future__ import annotations

from typing import Any

from ganexplain.config.alarms import FalseAlarmsConfig
from ganexplain.config.attributing import WIDEST, AttributeConfig, TrainExplainerConfig
from ganexplain.config.describing import InputConfig
from ganexplain.config.explaining import (
    CounterfactualConfig,
    ExplainConfig,
    LayersConfig,
    RerunConfig,
    ResponsesConfig,
)
from ganexplain.config.pipeline import DemoConfig, RunConfig
from ganexplain.config.selecting import ReportConfig, SelectConfig, ValidateConfig
from ganexplain.config.setting import (
    LONGEST_SETTINGS,
    current_settings,
    options_named,
    toml_bytes,
    toml_text,
    with_preset,
)
from ganexplain.config.shared import LAST_SEED, NamesNetwork
from ganexplain.config.training import (
    LabelStemsConfig,
    PredictConfig,
    TrainClassifierConfig,
    TrainGanConfig,
)

__all__ = [
    "LAST_SEED", "LONGEST_SETTINGS", "OTHERS", "STAGES", "WIDEST", "AttributeConfig",
    "CounterfactualConfig", "DemoConfig", "ExplainConfig", "FalseAlarmsConfig", "InputConfig",
    "LabelStemsConfig",
    "LayersConfig", "NamesNetwork", "PredictConfig", "ReportConfig", "RerunConfig",
    "ResponsesConfig", "RunConfig", "SelectConfig", "TrainClassifierConfig",
    "TrainExplainerConfig", "TrainGanConfig", "ValidateConfig", "current_settings", "options_named",
    "toml_bytes", "toml_text", "with_preset",
]  # fmt: skip

# The stages that write a run directory: settings, and module and function in ganexplain.stages.
STAGES: dict[str, tuple[type[Any], str]] = {
    "train-classifier": (TrainClassifierConfig, "train_classifier:train_classifier"),
    "predict": (PredictConfig, "predict:predict"),
    "train-gan": (TrainGanConfig, "train_gan:train_gan"),
    "counterfactual": (CounterfactualConfig, "counterfactual:counterfactual"),
    "false-alarms": (FalseAlarmsConfig, "false_alarms:false_alarms"),
    "responses": (ResponsesConfig, "responses:responses"),
    "explain": (ExplainConfig, "explain:explain"),
    "train-explainer": (TrainExplainerConfig, "train_explainer:train_explainer"),
    "select": (SelectConfig, "select:select"),
    "validate": (ValidateConfig, "validate:validate"),
    "attribute": (AttributeConfig, "attribute:attribute"),
    "report": (ReportConfig, "report:write_report"),
}

# The other stages that write files: a TOML file, a run to compare, a manifest beside its tracks,
# and those that go through several stages.
OTHERS: dict[str, tuple[type[Any], str]] = {
    "input": (InputConfig, "input:describe_input"),
    "rerun": (RerunConfig, "rerun:rerun"),
    "label-stems": (LabelStemsConfig, "label_stems:label_stems"),
    "run": (RunConfig, "run:run"),
    "demo": (DemoConfig, "demo:demo"),
}
