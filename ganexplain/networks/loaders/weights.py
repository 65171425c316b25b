"""Finds the weights of a network in a checkpoint and loads them."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ganexplain.errors import GanexplainError, UsageError, did_you_mean, is_out_of_memory, reason_of
from ganexplain.files.checkpoints import load_data
from ganexplain.files.foreign_checkpoints import load_tensors
from ganexplain.runs.progress import LOGGER

# The names of tables and prefixes with the weights of a network, most usual first.
USUAL = (
    "", "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network",
    "weights", "params", "generator",
)  # fmt: skip
AVERAGED = re.compile(r"(^|_)(ema|swa|averaged?)(_|$)")  # weights averaged over a training
DEEPEST = 3  # nested tables that are searched
# Parts of names that wrappers of torch insert.
WRAPPED = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
MAY_LACK = "num_batches_tracked"  # missing in older checkpoints

Versions: TypeAlias = "Mapping[str, Mapping[str, object]]"


@dataclass(frozen=True)
class Candidate:
    """Weights in the `table` of a checkpoint whose names begin with `prefix`, which is removed.

    `versions` has what torch keeps of each module beside them: the version of its weights.
    """

    table: str
    prefix: str
    weights: Mapping[str, object]
    versions: Versions = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The table and the prefix, as in FILE:PLACE; empty for the whole file."""
        return ".".join(filter(None, (self.table, self.prefix.rstrip("."))))

    @property
    def rank(self) -> int:
        """The index of its table or prefix among the usual ones; averaged weights come last."""
        parts = self.place.split(".")
        if any(AVERAGED.search(part) for part in parts):
            return len(USUAL) + 1
        return USUAL.index(parts[-1]) if parts[-1] in USUAL else len(USUAL)

    def fit(self, wanted: Mapping[str, Tensor]) -> tuple[int, int]:
        """How many of the weights of a network it has, and how many of these in their shapes."""
        shapes = {
            name: getattr(value, "shape", None)
            for name, value in self.weights.items()
            if name in wanted
        }
        return len(shapes), sum(shape == wanted[name].shape for name, shape in shapes.items())

    def differs(self, other: Candidate, wanted: Mapping[str, Tensor]) -> bool:
        """Whether a weight that fits has other values; one that does not may claim to be huge."""
        pairs = [
            (self.weights.get(name), other.weights.get(name), value.shape)
            for name, value in wanted.items()
        ]
        return not all(
            torch.equal(mine, theirs)
            for mine, theirs, shape in pairs
            if isinstance(mine, Tensor) and isinstance(theirs, Tensor)
            if mine.shape == theirs.shape == shape
        )

    def for_network(self, wanted: Mapping[str, Tensor]) -> OrderedDict[str, object]:
        """As the network's `state_dict` would be, with the counters that older files lack."""
        counters = {name: value for name, value in wanted.items() if name.endswith(MAY_LACK)}
        found = OrderedDict(counters | dict(self.weights))
        found._metadata = self.versions  # type: ignore[attr-defined]  # where torch looks for them
        return found


def split_place(weights: str) -> tuple[Path, str]:
    """The file and the place in it that FILE or FILE:PLACE name."""
    name, _, place = weights.rpartition(":")
    if not Path(weights).is_file() and Path(name).is_file():
        return Path(name), place
    return Path(weights), ""


def load_weights(network: nn.Module, weights: str) -> None:
    """Load the weights that FILE or FILE:PLACE name into a network.

    They may be in a table of the file, and their names may have a prefix that wrappers and
    trainers add; a warning names other weights that fit. Raises UsageError for a missing file, and
    GanexplainError if the file cannot be read, if no weights in it fit, or if several fit equally.
    """
    path, place = split_place(weights)
    wanted = network.state_dict()
    content = read_weights(path)
    found = [each for table in _tables(content) for each in _candidates(*table, wanted)]
    if not found:
        raise GanexplainError(
            f"--weights {path}: has no table of weights, only {_contents(content)}; save "
            "network.state_dict()"
        )
    if place:
        found = [_named(path, place, found)]
    best = max(each.fit(wanted) for each in found)
    fitting = [each for each in found if each.fit(wanted) == best]
    chosen = min(fitting, key=lambda each: each.rank)
    missing = [n for n in wanted if n not in chosen.weights and not n.endswith(MAY_LACK)]
    others = [each for each in fitting if each is not chosen and each.differs(chosen, wanted)]
    _refuse_ties(path, [chosen, *others], missing)
    try:
        network.load_state_dict(chosen.for_network(wanted))
    except Exception as error:  # a module that loads older weights may raise anything
        if is_out_of_memory(error):
            raise
        full_names = [chosen.prefix + name for name in chosen.weights]
        named = f"; its names are {_some(full_names)}, the network's {_some(list(wanted))}"
        raise GanexplainError(
            f"--weights {path}: do not fit the network ({reason_of(error)})"
            f"{named if missing else ''}; name the checkpoint that belongs to this factory"
        ) from error
    if others:
        LOGGER.warning(
            "--weights %s: the weights in %s are used; others that fit: %s", path,
            chosen.place or "the file itself",
            ", ".join(f"--weights {path}:{each.place}" for each in others),
        )  # fmt: skip


def _named(path: Path, place: str, found: Sequence[Candidate]) -> Candidate:
    """The weights at a place; UsageError if there are none."""
    places = {each.place: each for each in found}
    if place not in places:
        raise UsageError(
            f"--weights {path}:{place}: no weights there{did_you_mean(place, places)}; it has "
            f"{', '.join(filter(None, places)) or 'one table'}"
        )
    return places[place]


def _refuse_ties(path: Path, fitting: Sequence[Candidate], missing: Sequence[str]) -> None:
    """GanexplainError if the first has rivals that are as usual, and all have all weights."""
    rivals = [each for each in fitting if each.rank == fitting[0].rank]
    if len(rivals) > 1 and not missing:
        places = [f"--weights {path}:{each.place}" for each in rivals]
        raise GanexplainError(
            f"--weights {path}: has weights for this network in several places; name one, "
            f"{' or '.join(places)}"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")


def _contents(content: object) -> str:
    """What a file has, for a message."""
    if not isinstance(content, Mapping):
        return type(content).__name__
    names = [str(name)[:40] for name in content]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "an empty table"


def _tables(
    content: object, name: str = "", deepest: int = DEEPEST
) -> Iterator[tuple[str, Mapping[str, object], Versions]]:
    """Names and contents of the tables of tensors in a file, and the versions of modules."""
    if not isinstance(content, Mapping) or not deepest:
        return
    own = {str(key): value for key, value in content.items() if not isinstance(value, Mapping)}
    if any(isinstance(value, Tensor) for value in own.values()):
        yield name, own, _versions(content)
    for key, value in content.items():
        yield from _tables(value, f"{name}.{key}".lstrip("."), deepest - 1)


def _versions(table: Mapping[object, object]) -> Versions:
    """What torch keeps of modules beside their weights, by the name of the module and a dot.

    A file with objects has it as a table.
    """
    found = getattr(table, "_metadata", None) or table.get("_metadata")
    if not isinstance(found, Mapping):
        return {}
    return {
        WRAPPED.sub("", f"{name}."): dict(value)
        for name, value in found.items()
        if isinstance(value, Mapping)
    }


def _candidates(
    table: str, content: Mapping[str, object], versions: Versions, wanted: Collection[str]
) -> Iterator[Candidate]:
    """The possible weights in a table for a network whose weights are named `wanted`."""
    named = {WRAPPED.sub("", key): value for key, value in content.items()}
    prefixes = {""}
    for key in named:
        parts = key.split(".")
        for length in range(1, len(parts)):
            if ".".join(parts[length:]) in wanted:
                prefixes.add(".".join(parts[:length]) + ".")
    for prefix in sorted(prefixes):
        own = {
            key.removeprefix(prefix): value
            for key, value in named.items()
            if key.startswith(prefix)
        }
        own_versions = {
            ("." + name).removeprefix("." + prefix).strip("."): value
            for name, value in versions.items()
            if ("." + name).startswith("." + prefix)
        }
        yield Candidate(table, prefix, own, own_versions)


def read_weights(path: Path) -> Any:
    """The content of a file of weights, read without running any of its code.

    Raises UsageError for a missing file, GanexplainError for one that cannot be read.
    """
    if not path.is_file():
        raise UsageError(f"--weights {path}: no such file")
    try:
        return load_file(path) if path.suffix == ".safetensors" else _load_checkpoint(path)
    except Exception as error:  # torch and safetensors raise many kinds
        raise GanexplainError(
            f"--weights {path}: cannot be read as plain data ({reason_of(error)}); save "
            "network.state_dict(), or safetensors"
        ) from error


def _load_checkpoint(path: Path) -> Any:
    """The content of a file of torch.save; of one with objects as well, its tables of tensors."""
    try:
        return load_data(path)
    except pickle.UnpicklingError as error:
        try:
            return load_tensors(path)
        except Exception:  # torch and pickle raise many kinds; the first says what is in the file
            raise error from None
