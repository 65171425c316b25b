"""Training that can be interrupted or killed at any step and resumed with equal results.

No random state is kept between steps (each step has its own random streams), so the state of a
training is its tensors and the number of steps done.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganexplain.errors import Diverged, GanexplainError, UsageError, reason_of, short_repr
from ganexplain.files.checkpoints import read_checkpoint, write_checkpoint
from ganexplain.runs.directory import RunDirectory
from ganexplain.runs.distributed import broadcast_from_rank0
from ganexplain.runs.interrupts import collect_interrupts
from ganexplain.runs.progress import Progress

STATE_FILE = "training.pt"

State = Mapping[str, Any]  # tensors and plain values, nested, as a checkpoint contains them


class Trainable(Protocol):
    """A training that can be interrupted and resumed."""

    def state(self) -> State:
        """Tensors and plain values from which `restore` continues equally."""

    def restore(self, state: State) -> None:
        """Restore a state; GanexplainError if it belongs to other data."""


def resumable_steps(
    run: RunDirectory, training: Trainable, total: int, every: int, progress: Progress
) -> Iterator[int]:
    """Yield the numbers of the remaining steps, 0 .. total - 1 in a new run.

    The state is written to `training.pt` after every `every` steps, after the last, and after the
    step in which Ctrl-C or SIGTERM arrives. A resumed run starts from that file and keeps the lines
    that `metrics.jsonl` had at that time.
    """
    path = run.path / STATE_FILE
    first, metrics = 0, 0
    found = run.resumed and path.is_file()
    saved = broadcast_from_rank0(TrainingFile.read(path) if found else None)
    if saved is not None:
        first, metrics = saved.step, saved.metrics
        with _complete(path):
            training.restore(saved.state)
        if first > total:
            raise UsageError(f"--resume: {path} is {first} updates on, more than {total} asked for")
        if run.unchecked:
            progress.note(
                f"--resume: {run.path} has no record of its {', '.join(run.unchecked)}, which "
                "cannot be checked; make sure that they are the same"
            )
    run.note_inputs()
    if run.resumed:
        run.keep_metrics(metrics)
    progress.start("training", total, done=first)
    with collect_interrupts() as interrupts:
        for step in range(first, total):
            yield step
            done = step + 1
            if done % every == 0 or done == total or interrupts:
                TrainingFile(done, run.metrics, training.state()).write(path)
            if interrupts:
                raise interrupts[0]


@dataclass(frozen=True)
class TrainingFile:
    """What `training.pt` contains: the updates done, the lines of `metrics.jsonl`, the state."""

    step: int
    metrics: int
    state: State

    @classmethod
    def read(cls, path: Path) -> TrainingFile:
        """The content of a file; GanexplainError if it is not complete."""
        content = read_checkpoint(path, "training", ("step", "metrics", "state"))
        with _complete(path):
            for name in ("step", "metrics"):
                if type(content[name]) is not int or content[name] < 0:
                    raise ValueError(f"{name} is {short_repr(content[name])}")
            _check_finite(content["state"])
        return cls(content["step"], content["metrics"], content["state"])

    def write(self, path: Path) -> None:
        """Write the file."""
        content = {"step": self.step, "metrics": self.metrics, "state": self.state}
        write_checkpoint(path, "training", content)


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """While open, errors of a state become a GanexplainError that names its file."""
    try:
        yield
    except (GanexplainError, MemoryError):
        raise
    except Exception as error:  # keys may be missing or values of another type
        raise GanexplainError(
            f"--resume: {path}: not a complete state of this training ({reason_of(error)}); "
            "--overwrite to start again"
        ) from error


def _check_finite(values: Any) -> None:
    """Raise ValueError if a nested state contains values that are not finite."""
    if isinstance(values, Tensor):
        if not torch.isfinite(values).all():
            raise ValueError("it contains values that are not finite")
    elif isinstance(values, Mapping):
        for value in values.values():
            _check_finite(value)


def restore_optimiser(optimiser: torch.optim.Optimizer, state: State) -> None:
    """Restore the state that Adam or SGD has for each weight; settings are those of this run.

    Raises ValueError or KeyError if it does not fit the weights.
    """
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": state["state"], "param_groups": groups})
    of_adam = isinstance(optimiser, torch.optim.Adam | torch.optim.AdamW)
    names = ("step", "exp_avg", "exp_avg_sq") if of_adam else ("momentum_buffer",)
    for weight, kept in optimiser.state.items():
        for name in names:
            value = kept[name]
            shape = torch.Size() if name == "step" else weight.shape
            if (value is not None or of_adam) and value.shape != shape:
                raise ValueError(f"{name} of the optimiser does not fit its weight")


def check_same_recordings(state: Mapping[str, Tensor], network: nn.Module) -> None:
    """Raise GanexplainError if a state has other band statistics than the network."""
    same = (
        torch.allclose(state[name].cpu(), network.get_buffer(name).cpu(), rtol=1e-4, atol=1e-4)
        for name in ("mean", "deviation")
    )
    if not all(same):
        raise GanexplainError(
            "--resume: the training recordings are not those of the run to resume; "
            "give the same corpus, or --overwrite to start again"
        )


def training_tensors(
    networks: Mapping[str, nn.Module], optimisers: Mapping[str, torch.optim.Optimizer]
) -> State:
    """The state of a training of several networks, one of them the generator."""
    return {
        "networks": {name: network.state_dict() for name, network in networks.items()},
        "optimisers": {name: adam.state_dict() for name, adam in optimisers.items()},
    }


def restore_tensors(
    state: State,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, torch.optim.Optimizer],
) -> None:
    """Restore a state of `training_tensors`; errors as `check_same_recordings`."""
    check_same_recordings(state["networks"]["generator"], networks["generator"])
    for name, network in networks.items():
        network.load_state_dict(state["networks"][name])
    for name, adam in optimisers.items():
        restore_optimiser(adam, state["optimisers"][name])


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Update the running average of a network's weights after step `step`; faster at first."""
    decay = min(decay, (1 + step) / (10 + step))
    running = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(running[name], 1 - decay)


def finite_value(loss: Tensor, step: int) -> float:
    """The value of a loss; Diverged if it is not finite."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise Diverged(f"a loss is {value} at step {step}; lower --learning-rate")
    return value
