"""The weights of a checkpoint that belong to a network, whatever is around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.files.checkpoints import load_data

USUAL = ("", "state_dict", "model_state_dict", "model", "weights")  # tables, the usual one first
DEEPEST = 3  # tables within tables that are looked through
# What torch writes into the names of what it wraps.
WRAPPED = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
MAY_LACK = "num_batches_tracked"  # older checkpoints do


@dataclass(frozen=True)
class Candidate:
    """Weights of the `table` of a checkpoint whose names begin with `prefix`, without that."""

    table: str
    prefix: str
    weights: dict[str, Any]

    @property
    def rank(self) -> int:
        """Where its table stands among the usual ones; behind them where it is none."""
        name = self.table.rpartition(".")[2]
        return USUAL.index(name) if name in USUAL else len(USUAL)

    @property
    def place(self) -> str:
        """The table and the prefix in words."""
        table = f"table {self.table}" if self.table else "the file"
        return f"{self.prefix}* in {table}" if self.prefix else table


def load_weights(network: nn.Module, path: Path) -> None:
    """Load into a network the weights of a file that are its own.

    They may be in a table of the file, and their names may have a prefix that wrappers and
    trainers add. Raises UsageError for a missing file, GanexplainError for one that cannot be
    read, or where no weights fit, or several.
    """
    wanted = network.state_dict().keys()
    found = [each for table in _tables(read_weights(path)) for each in _candidates(*table, wanted)]
    if not found:
        raise GanexplainError(
            f"--weights {path}: has no table of weights; save network.state_dict()"
        )
    shared = max(len(wanted & each.weights.keys()) for each in found)
    best = [each for each in found if len(wanted & each.weights.keys()) == shared]
    chosen = min(best, key=lambda each: each.rank)  # the first of several
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
        named = f"; its names are {_first(chosen)}, the network's {_some(wanted)}"
        raise GanexplainError(
            f"--weights {path}: do not fit the network ({reason_of(error)})"
            f"{named if missing else ''}; name the checkpoint that belongs to this factory"
        ) from error


def _first(candidate: Candidate) -> str:
    return _some(candidate.prefix + name for name in candidate.weights)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:2]) + (", ..." if len(listed) > 2 else "")


def _tables(content: Any, name: str = "", deepest: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """Names and contents of the tables of tensors in a file."""
    if not isinstance(content, Mapping) or not deepest:
        return
    own = {str(key): value for key, value in content.items() if not isinstance(value, Mapping)}
    if any(isinstance(value, Tensor) for value in own.values()):
        yield name, own
    for key, value in content.items():
        yield from _tables(value, f"{name}.{key}".lstrip("."), deepest - 1)


def _candidates(
    table: str, content: Mapping[str, Any], wanted: Iterable[str]
) -> Iterator[Candidate]:
    """What a table may have of a network whose weights are named as `wanted`."""
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
    """What a file of weights contains, read as data alone.

    UsageError where it is absent, GanexplainError where it cannot be read.
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
            f"--weights {path}: cannot be read as data alone ({reason_of(error)}); save "
            "network.state_dict(), or safetensors"
        ) from error
