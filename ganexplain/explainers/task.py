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
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.load import input_spec_for, load_split, open_corpus
from ganexplain.files.atomic import Document
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, load_target
from ganexplain.runs.inputs import Recording
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import NullProgress, Progress
from ganexplain.runs.resume import State
from ganexplain.runs.workers import HERE, Workers


@dataclass(frozen=True)
class Task:
    """The frozen `networks` to explain, with inputs of one type, and splits to learn from.

    `names` are the networks' files; `folder` is the run directory, where a method may cache files.
    `workers` do what a method divides.
    """

    config: TrainExplainerConfig
    names: tuple[str, ...]
    networks: tuple[TargetNetwork, ...]
    train: AnySplit
    held_out: AnySplit
    device: torch.device
    folder: Path
    progress: Progress
    workers: Workers = HERE

    @classmethod
    def open(cls, config: TrainExplainerConfig, folder: Path) -> Task:
        """The task of a run of these settings, as a worker opens it."""
        sources, device = NetworkSource.all_from_settings(config), pick_device(config.device)
        networks = tuple(load_target(source, None, device) for source in sources)
        corpus, skip = open_corpus(config.corpus, config.skip_bad_files), config.skip_bad_files
        input_spec = input_spec_for(corpus, networks[0].front_end)
        progress, cache = NullProgress(), cache_directory(config.cache)
        train, valid = (
            load_split(corpus, name, input_spec, cache, progress, skip)
            for name in ("train", "valid")
        )
        names = tuple(source.name for source in sources)
        return cls(config, names, networks, train, valid, device, folder, progress)

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

    `check` raises UsageError for settings, networks or training recordings that it does not allow,
    before anything is written; `load` raises KeyError, TypeError or ValueError for a file that is
    not complete. A method that is not `of_any_network` explains only the network that it was
    trained on.
    """

    check: Callable[[TrainExplainerConfig, Sequence[TargetNetwork], Sequence[Recording]], None]
    start: Callable[[Task], ExplainerTraining]
    load: Callable[[ExplainerFile, torch.device], Answer]
    of_any_network: bool = False
