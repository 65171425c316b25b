"""Finds the weights of a network in a checkpoint and loads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.files.checkpoints import load_data

USUAL = ("", "state_dict", "model_state_dict", "model", "weights")  # tables, most usual first
DEEPEST = 3  # nested tables that are searched
# Parts of names that wrappers of torch insert.
WRAPPED = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
MAY_LACK = "num_batches_tracked"  # missing in older checkpoints


@dataclass(frozen=True)
class Candidate:
    """Weights in the `table` of a checkpoint whose names begin with `prefix`, which is removed."""

    table: str
    prefix: str
    weights: Mapping[str, object]

    @property
    def rank(self) -> int:
        """The index of its table among the usual ones, or behind them."""
        name = self.table.rpartition(".")[2]
        return USUAL.index(name) if name in USUAL else len(USUAL)

    @property
    def place(self) -> str:
        """The table and the prefix, for a message."""
        table = f"table {self.table}" if self.table else "the file"
        return f"{self.prefix}* in {table}" if self.prefix else table


def load_weights(network: nn.Module, path: Path) -> None:
    """Load the weights of a file into a network.

    They may be in a table of the file, and their names may have a prefix that wrappers and
    trainers add. Raises UsageError for a missing file, and GanexplainError if the file cannot be
    read, if no weights in it fit, or if several fit equally.
    """
    wanted = network.state_dict().keys()
    found = [each for table in _tables(read_weights(path)) for each in _candidates(*table, wanted)]
    if not found:
        raise GanexplainError(
            f"--weights {path}: has no table of weights; save network.state_dict()"
        )
    shared = max(len(wanted & each.weights.keys()) for each in found)
    best = [each for each in found if len(wanted & each.weights.keys()) == shared]
    chosen = min(best, key=lambda each: each.rank)
    missing = [name for name in wanted - chosen.weights.keys() if not name.endswith(MAY_LACK)]
    rivals = [each for each in best if each.rank == chosen.rank]
    if len(rivals) > 1 and not missing:
        raise GanexplainError(
            f"--weights {path}: has weights for this network in several places: "
            f"{', '.join(each.place for each in rivals)}; save those you mean alone"
        )
    try:
        network.load_state_dict(chosen.weights)
    except RuntimeError as error:
        full_names = [chosen.prefix + name for name in chosen.weights]
        named = f"; its names are {_some(full_names)}, the network's {_some(list(wanted))}"
        raise GanexplainError(
            f"--weights {path}: do not fit the network ({reason_of(error)})"
            f"{named if missing else ''}; name the checkpoint that belongs to this factory"
        ) from error


def _some(names: list[str]) -> str:
    return ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")


def _tables(
    content: object, name: str = "", deepest: int = DEEPEST
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Names and contents of the tables of tensors in a file."""
    if not isinstance(content, Mapping) or not deepest:
        return
    own = {str(key): value for key, value in content.items() if not isinstance(value, Mapping)}
    if any(isinstance(value, Tensor) for value in own.values()):
        yield name, own
    for key, value in content.items():
        yield from _tables(value, f"{name}.{key}".lstrip("."), deepest - 1)


def _candidates(
    table: str, content: Mapping[str, object], wanted: Iterable[str]
) -> Iterator[Candidate]:
    """The possible weights in a table for a network whose weights are named `wanted`."""
    named = {WRAPPED.sub("", key): value for key, value in content.items()}
    prefixes = {
        key.removesuffix(name) for name in wanted for key in named if key.endswith(f".{name}")
    }
    for prefix in ("", *sorted(prefixes)):
        own = {
            key.removeprefix(prefix): value
            for key, value in named.items()
            if key.startswith(prefix)
        }
        yield Candidate(table, prefix, own)


def read_weights(path: Path) -> Any:
    """The content of a file of weights, read without unpickling objects.

    Raises UsageError for a missing file, GanexplainError for one that cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"--weights {path}: no such file")
    load: Callable[[Path], Any] = load_data
    if path.suffix == ".safetensors":
        try:
            from safetensors.torch import load_file as load
        except ImportError as error:
            raise UsageError(
                f"--weights {path}: needs the package safetensors (pip install safetensors)"
            ) from error
    try:
        return load(path)
    except Exception as error:  # torch and safetensors raise many kinds
        raise GanexplainError(
            f"--weights {path}: cannot be read as plain data ({reason_of(error)}); save "
            "network.state_dict(), or safetensors"
        ) from error
