"""What `train-explainer` gives a method, and what a method gives back and is registered with."""

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
from ganexplain.corpora.load import MaterialSplit
from ganexplain.networks.target import TargetNetwork
from ganexplain.runs.progress import Progress
from ganexplain.runs.resume import State


@dataclass(frozen=True)
class Task:
    """The frozen `networks` to explain, which take the same, and inputs to learn from.

    `names` are those of the networks' files, `folder` the run directory, where a method may
    keep what is costly to make.
    """

    config: TrainExplainerConfig
    names: tuple[str, ...]
    networks: tuple[TargetNetwork, ...]
    train: MaterialSplit
    held_out: MaterialSplit
    device: torch.device
    folder: Path
    progress: Progress

    @cached_property
    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation of each band or channel of the training inputs, on `device`.

        A pass over all of them, once.
        """
        mean, deviation = map(torch.from_numpy, self.train.band_statistics())
        return mean.to(self.device), deviation.to(self.device)


@dataclass(frozen=True)
class Trained:
    """An explainer at its end.

    `content` and `figures` are for explainer.pt; `table` lines of text for stdout; `documents`
    JSON documents to stand beside it, by file name.
    """

    content: Mapping[str, object]
    figures: Mapping[str, float]
    table: list[str] = field(default_factory=list)
    documents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


class ExplainerTraining(Protocol):
    """One training: `config.steps` steps, stopped and taken up between any two of them."""

    def step(self, step: int) -> dict[str, float]:
        """One update; its losses."""

    def look(self) -> dict[str, float]:
        """Figures on held-out inputs, as they are now."""

    def finish(self) -> Trained:
        """What it has come to."""

    def state(self) -> State:
        """Tensors and plain values from which `restore` makes an equal training."""

    def restore(self, state: State) -> None:
        """Take up a state; GanexplainError where it belongs to other data."""


@dataclass(frozen=True)
class LearnedMethod:
    """A method of `train-explainer`, of which `attribute` takes the `explainer.pt`.

    `check` raises UsageError for settings or networks that it cannot be trained with; `load`
    raises KeyError, TypeError or ValueError where the file is not whole. One that is not
    `of_any_network` explains only the network it was trained on.
    """

    check: Callable[[TrainExplainerConfig, Sequence[TargetNetwork]], None]
    start: Callable[[Task], ExplainerTraining]
    load: Callable[[ExplainerFile, torch.device], Answer]
    of_any_network: bool = False
