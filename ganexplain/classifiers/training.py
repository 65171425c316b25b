"""One training of a classifier: the network, its optimiser and the best epoch so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ganexplain.audio.log_mel import check_frame_by_frame
from ganexplain.classifiers.base import ARCHITECTURES, ExcerptNet, architectures_for, initialise
from ganexplain.classifiers.checkpoint import LOG_MEL_ARCHITECTURES, build_classifier
from ganexplain.classifiers.evaluation import evaluate
from ganexplain.classifiers.training_form import (
    add_batch_norm,
    to_plain_form,
    use_zero_mean_filters,
)
from ganexplain.config import TrainClassifierConfig
from ganexplain.corpora.batches import Batch
from ganexplain.corpora.interfaces import AnyCorpus, LabelledSplit
from ganexplain.corpora.load import input_spec_for
from ganexplain.corpora.recordings import UNLABELLED
from ganexplain.errors import Diverged, UsageError, check_known
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import read_input_file
from ganexplain.runs.distributed import average_gradients, check_divisible, rank_and_world_size
from ganexplain.runs.machine import random_stream
from ganexplain.runs.precision import PRECISIONS, autocast
from ganexplain.runs.resume import State, check_same_recordings, restore_optimiser

LOW_TARGET = 0.02  # targets 0.02 and 0.98, the authors' label smoothing
OPTIMISERS = ("adamw", "sgd")
SCHEDULES = ("cosine", "step")


def check_settings(config: TrainClassifierConfig, input_spec: Input) -> None:
    """Raise UsageError for settings that a training on inputs of `input_spec` cannot have."""
    architecture = architecture_for(config, input_spec)
    check_known("--schedule", config.schedule, SCHEDULES)
    check_known("--precision", config.precision, PRECISIONS)
    check_known("--optimiser", config.optimiser, OPTIMISERS)
    check_known("--architecture", config.architecture, LOG_MEL_ARCHITECTURES)
    check_divisible(config.batch_size)
    if config.level_invariant and not input_spec.sound_rate:
        raise UsageError("--level-invariant: applies to sound; leave it out for pictures")
    if config.batch_norm and config.batch_size == rank_and_world_size()[1]:
        _check_one_excerpt(architecture, input_spec)


@torch.no_grad()
def _check_one_excerpt(architecture: str, input_spec: Input) -> None:
    """Raise UsageError if batch normalisation would get only one value per channel."""
    network = build_classifier(architecture, 1, input_spec)
    add_batch_norm(network)
    try:
        network.train()(torch.zeros(1, *input_spec.shape))
    except ValueError as error:
        raise UsageError(
            "--batch-size: batch normalisation needs more than one excerpt per update in each "
            "process; give more, or --no-batch-norm"
        ) from error


@dataclass(frozen=True)
class BestEpoch:
    """The best epoch: its weights in the plain form, decision threshold and figures."""

    weights: Mapping[str, Tensor]
    epoch: int
    threshold: float
    figures: Mapping[str, float]

    @classmethod
    def from_state(cls, values: State) -> BestEpoch:
        """The epoch in a state; KeyError, TypeError or ValueError if it is not complete."""
        figures = dict(values["figures"])
        float(figures["frame_error"])  # which later epochs are compared by
        return cls(values["weights"], int(values["epoch"]), float(values["threshold"]), figures)

    def to_state(self) -> State:
        """The values that `from_state` reads."""
        return {
            "weights": self.weights,
            "epoch": self.epoch,
            "threshold": self.threshold,
            "figures": self.figures,
        }


class ClassifierTraining:
    """The network, its optimiser and the best epoch so far."""

    def __init__(
        self,
        config: TrainClassifierConfig,
        outputs: int,
        split: LabelledSplit,
        device: torch.device,
    ) -> None:
        check_settings(config, split.front_end)
        self.config, self.device = config, device
        self.input_spec = split.front_end
        self.architecture = architecture_for(config, self.input_spec)
        network = new_network(config, outputs, split)
        self.network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = _optimiser(config, self.network)
        self.losses: list[float] = []  # of the current epoch
        self.best: BestEpoch | None = None

    @property
    def updates(self) -> int:
        """Number of updates of the whole training."""
        return self.config.epochs * self.config.updates_per_epoch

    def step(self, step: int, batch: Batch) -> float:
        """Do one update; returns the loss in nat."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate(step)
        torch.manual_seed(int(random_stream(self.config.seed, "dropout", step).integers(2**31)))
        loss = self._loss(batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.network.parameters())
        self.optimiser.step()
        value = float(loss.detach())
        if not np.isfinite(value):
            raise Diverged(f"the loss is {value} at update {step}; lower --learning-rate")
        self.losses.append(value)
        return value

    def learning_rate(self, step: int) -> float:
        """The learning rate of one update."""
        config = self.config
        if config.schedule == "cosine":
            return config.learning_rate * (1 + math.cos(math.pi * step / self.updates)) / 2
        decay = config.learning_rate_decay ** (step // config.updates_per_epoch)
        return config.learning_rate * decay

    def _loss(self, batch: Batch) -> Tensor:
        mel = torch.from_numpy(batch.mel).to(self.device)
        with autocast(self.config.precision, self.device):
            logits = self.network.train().forward_targets(mel)
        label, other, share = (
            torch.from_numpy(v).to(self.device) for v in (batch.label, batch.other, batch.share)
        )
        known = (label != UNLABELLED) & (other != UNLABELLED)
        logits = logits.float()[known]
        losses = smoothed_loss(logits, label[known])
        if self.config.mixup:
            share = share[:, None].expand_as(label)[known]
            losses = share * losses + (1 - share) * smoothed_loss(logits, other[known])
        return losses.mean()

    def finish_epoch(self, epoch: int, valid: LabelledSplit) -> dict[str, float]:
        """Validate, and keep the weights if they are the best so far; returns the figures."""
        network = to_plain_form(self.network)
        evaluation = evaluate(network, valid, None)
        figures = evaluation.figures
        if self.best is None or figures["frame_error"] < self.best.figures["frame_error"]:
            self.best = BestEpoch(network.state_dict(), epoch, evaluation.threshold, figures)
        loss = float(np.mean(self.losses))
        self.losses.clear()
        return {"loss": loss, "threshold": evaluation.threshold, **figures}

    def best_network(self, best: BestEpoch) -> ExcerptNet:
        """The network of the best epoch, in its plain form on the CPU."""
        network = build_classifier(self.architecture, self.network.outputs, self.input_spec)
        network.load_state_dict(best.weights)
        return network

    def state(self) -> State:
        """Tensors and values of the training, for `restore`."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "losses": self.losses,
            "best": self.best.to_state() if self.best else {},
            "updates": self.updates,
        }

    def restore(self, state: State) -> None:
        """Restore a state.

        Raises GanexplainError if it was trained on other recordings, UsageError for another number
        of updates with a schedule that depends on it.
        """
        check_same_recordings(state["network"], self.network)
        if self.config.schedule == "cosine" and state["updates"] != self.updates:
            raise UsageError(
                f"--resume: the cosine schedule was made for {state['updates']} updates; "
                "keep --epochs, or use --schedule step"
            )
        self.network.load_state_dict(state["network"])
        restore_optimiser(self.optimiser, state["optimiser"])
        self.losses, self.best = [float(loss) for loss in state["losses"]], None
        if state["best"]:
            self.best = BestEpoch.from_state(state["best"])
            self.best_network(self.best)  # its weights must fit


def architecture_for(config: TrainClassifierConfig, input_spec: Input) -> str:
    """The name of the network to train: as asked for if it takes such inputs, else one that does.

    Raises UsageError where none does.
    """
    fitting = architectures_for(input_spec)
    if config.architecture in fitting:
        return config.architecture
    if not fitting or input_spec.sound_rate:
        raise UsageError("--input: classifiers of sound have front ends of their own; leave it out")
    return fitting[0]


def input_for(config: TrainClassifierConfig, corpus: AnyCorpus) -> Input:
    """The inputs that the classifier takes; UsageError where they do not fit the corpus."""
    given = read_input_file(Path(config.input))[0] if config.input else None
    if given:
        check_frame_by_frame(given)
    elif corpus.has_sound:
        given = sound_input(config)
    return input_spec_for(corpus, given)


def output_count(requested: int, classes: int) -> int:
    """The number of outputs for a number of classes; UsageError where another is `requested`."""
    allowed = {1, 2} if classes == 2 else {classes}
    count = requested or min(allowed)
    if count not in allowed:
        choices = " or ".join(map(str, sorted(allowed)))
        raise UsageError(f"--outputs {requested}: the corpus has {classes} classes; use {choices}")
    return count


def sound_input(config: TrainClassifierConfig) -> FrontEnd:
    """The front end of the architecture asked for; UsageError if there is no such architecture."""
    return ARCHITECTURES[
        check_known("--architecture", config.architecture, LOG_MEL_ARCHITECTURES)
    ].front_end


def new_network(config: TrainClassifierConfig, outputs: int, split: LabelledSplit) -> ExcerptNet:
    """The network to train, in its training form, with the band statistics of a split."""
    network = build_classifier(architecture_for(config, split.front_end), outputs, split.front_end)
    initialise(network, config.seed)
    mean, deviation = split.band_statistics()
    network.mean.copy_(torch.from_numpy(mean))
    network.deviation.copy_(torch.from_numpy(deviation))
    if config.level_invariant:
        use_zero_mean_filters(network)
    if config.batch_norm:
        add_batch_norm(network)
    return network


def _optimiser(config: TrainClassifierConfig, network: ExcerptNet) -> torch.optim.Optimizer:
    rate, parameters = config.learning_rate, network.parameters()
    if config.optimiser == "adamw":
        return torch.optim.AdamW(parameters, rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(parameters, rate, config.momentum, nesterov=config.momentum > 0)


def smoothed_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Smoothed cross-entropy (B,) in nat of logits (B, outputs) for classes (B,).

    The target is 0.98 for the class, and the others share 0.02; with one output the targets are
    0.02 and 0.98.
    """
    if logits.shape[1] == 1:
        target = LOW_TARGET + (1 - 2 * LOW_TARGET) * label.to(logits.dtype)
        return functional.binary_cross_entropy_with_logits(logits[:, 0], target, reduction="none")
    classes = logits.shape[1]  # torch distributes the smoothing over all classes
    smoothing = LOW_TARGET * classes / (classes - 1)
    return functional.cross_entropy(logits, label, label_smoothing=smoothing, reduction="none")
