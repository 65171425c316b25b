"""The interface of a method of `train-explainer`: its task, training, result and registration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from ganexplain.artifacts.explainer import ExplainerFile
from ganexplain.attribution.methods.learned import Answer
from ganexplain.config import TrainExplainerConfig
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.files.atomic import Document
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.progress import Progress
from ganexplain.runs.resume import State


@dataclass(frozen=True)
class Task:
    """The frozen `networks` to explain, with inputs of one type, and splits to learn from.

    `names` are the networks' files; `folder` is the run directory, where a method may cache files.
    """

    config: TrainExplainerConfig
    names: tuple[str, ...]
    networks: tuple[TargetNetwork, ...]
    train: AnySplit
    held_out: AnySplit
    device: torch.device
    folder: Path
    progress: Progress

    @cached_property
    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of each band or channel of all training inputs, on `device`."""
        mean, deviation = map(torch.from_numpy, self.train.band_statistics())
        return mean.to(self.device), deviation.to(self.device)


@dataclass(frozen=True)
class Trained:
    """A trained explainer.

    `content` and `figures` are written to explainer.pt, `documents` to JSON files by name; `table`
    contains lines of text for stdout.
    """

    content: Document
    figures: Mapping[str, float]
    table: list[str] = field(default_factory=list)
    documents: Mapping[str, Document] = field(default_factory=dict)


class ExplainerTraining(Protocol):
    """A training of `config.steps` steps that can be stopped and resumed after each of them."""

    def step(self, step: int) -> dict[str, float]:
        """Update once; returns the losses."""

    def evaluate(self) -> dict[str, float]:
        """Return figures on held-out inputs."""

    def finish(self) -> Trained:
        """Return the trained explainer."""

    def state(self) -> State:
        """Return tensors and plain values from which `restore` continues."""

    def restore(self, state: State) -> None:
        """Continue from a state; GanexplainError if it belongs to other data."""


@dataclass(frozen=True)
class LearnedMethod:
    """A method of `train-explainer`, whose `explainer.pt` is an attribution method.

    `check` raises UsageError for settings or networks that it does not allow; `load` raises
    KeyError, TypeError or ValueError for a file that is not complete. A method that is not
    `of_any_network` explains only the network that it was trained on.
    """

    check: Callable[[TrainExplainerConfig, Sequence[TargetNetwork]], None]
    start: Callable[[Task], ExplainerTraining]
    load: Callable[[ExplainerFile, torch.device], Answer]
    of_any_network: bool = False
