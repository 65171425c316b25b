"""Which generator and which training the settings of cgan, or its file, mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.methods.learned import Answer
from ganexplain.config import TrainExplainerConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.explainers.cgan.coalition_training import CoalitionTraining
from ganexplain.explainers.cgan.inference import TEACHERS, load_map_answer
from ganexplain.explainers.cgan.signal_inference import KIND, load_signal_answer
from ganexplain.explainers.cgan.training import CganTraining
from ganexplain.explainers.cgan.training import check_settings as check_exact
from ganexplain.explainers.task import ExplainerTraining, Task
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.inputs import Recording

SHAPLEY = "shapley"
# Settings of a training from exact maps, which one by coalitions does without.
OF_EXACT_MAPS = (
    "generator", "size", "l1_weight", "adversarial_weight", "discriminator_every",
    "discriminator_rate", "precision",
)  # fmt: skip


def check_cgan(
    config: TrainExplainerConfig,
    networks: Sequence[TargetNetwork],
    recordings: Sequence[Recording],
) -> None:
    """Raise UsageError for settings that do not fit each other; any recordings will do."""
    check_known("--teacher", config.teacher, (SHAPLEY, *TEACHERS))
    if config.teacher != SHAPLEY:
        check_exact(config, networks)
        return
    if config.layer:
        raise UsageError("--layer: goes with --teacher grad-cam; leave one out")
    for name in OF_EXACT_MAPS:
        if getattr(config, name) != getattr(TrainExplainerConfig, name):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option}: goes with --teacher {', '.join(TEACHERS)}; leave one out")
    if config.coalitions % 2:
        raise UsageError(
            f"--coalitions {config.coalitions}: each goes with its complement; give an even number"
        )


def start_cgan(task: Task) -> ExplainerTraining:
    """Start the training by coalitions, or by exact maps."""
    return CoalitionTraining(task) if task.config.teacher == SHAPLEY else CganTraining(task)


def load_cgan(found: ExplainerFile, device: torch.device) -> Answer:
    """Load an `explainer.pt` of either training; errors as their readers."""
    load = load_signal_answer if found.content["kind"] == KIND else load_map_answer
    return load(found, device)
