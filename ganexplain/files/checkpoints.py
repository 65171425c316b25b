"""Writes and reads checkpoints: tensors and plain values, without code, as .pt or .safetensors."""

from __future__ import annotations

import io
import math
import sys
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ganexplain.errors import (
    GanexplainError,
    UsageError,
    check_known,
    is_out_of_memory,
    reason_of,
    short_repr,
)
from ganexplain.files.archives import ZIP, check_archive
from ganexplain.files.arrays import SCHEMA, check_kind, wrong_kind
from ganexplain.files.atomic import Document, atomic_file, existing_file
from ganexplain.files.checkpoint_kind import NO_CHECKPOINT, SAFETENSORS, may_be_checkpoint
from ganexplain.files.pickles import check_instructions
from ganexplain.files.tensor_files import read_safetensors, safetensors_bytes

FORMATS = ("pt", "safetensors")  # endings of checkpoints
PICKLES = 5  # in a file of torch before 1.6: its mark, version, machine, content and storages

Network = TypeVar("Network", bound=nn.Module)
Plain = TypeVar("Plain", int, float, list[Any], dict[str, Any])


def checkpoint_path(folder: Path, kind: str, ending: str) -> Path:
    """The path of a checkpoint in a run directory; UsageError for an unknown `--format`."""
    return folder / f"{kind}.{check_known('--format', ending, FORMATS)}"


def write_checkpoint(path: Path, kind: str, content: Document) -> None:
    """Write tensors and plain values in the format that the ending of the path names.

    `weights_only=True` can load a `.pt`.
    """
    content = _with_equal_texts_as_one({"kind": kind, "schema": SCHEMA, **content})
    buffer = io.BytesIO()  # torch turns a full disk into an error of its own
    if _is_safetensors(path):
        buffer.write(safetensors_bytes(content))
    else:
        torch.save(content, buffer)
    with atomic_file(path) as stream:
        stream.write(buffer.getbuffer())


def _with_equal_texts_as_one(value: Any) -> Any:
    """The same values; pickle writes the second of two equal texts anew if it is another object."""
    if type(value) is str:
        return sys.intern(value)
    if type(value) is dict:
        return {sys.intern(k) if type(k) is str else k: _with_equal_texts_as_one(v)
                for k, v in value.items()}  # fmt: skip
    if type(value) in (list, tuple):
        return type(value)(map(_with_equal_texts_as_one, value))
    return value


def _is_safetensors(path: Path) -> bool:
    return path.suffix == SAFETENSORS


def read_checkpoint(path: Path, kind: str, keys: Sequence[str] = ()) -> dict[str, Any]:
    """Read a checkpoint to the CPU without running code.

    Raises UsageError for a missing file or one of another kind, GanexplainError for a damaged one.
    """
    try:
        content = load_data(existing_file(path))
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        if not may_be_checkpoint(path):
            raise wrong_kind(path, kind, NO_CHECKPOINT) from error
        raise GanexplainError(
            f"{path}: not a complete ganexplain checkpoint ({reason_of(error)}); make it again"
        ) from error
    if not isinstance(content, dict) or "kind" not in content:
        raise wrong_kind(path, kind, NO_CHECKPOINT)
    check_kind(path, kind, content["kind"], content.get("schema"))
    for key in keys:
        if key not in content:
            raise GanexplainError(f"{path}: key {key!r} is missing; make it again")
    return content


def training_corpora(content: Document) -> tuple[str, ...]:
    """The corpora in the settings that a checkpoint contains, as they were typed; empty if none."""
    config = content.get("config")
    named = config.get("corpus") if isinstance(config, Mapping) else None
    return tuple(map(str, named)) if isinstance(named, list | tuple) else ()


def load_data(path: Path) -> Any:
    """Tensors and plain values of a checkpoint on the CPU; no code in the file is run.

    Raises errors of torch and of `read_safetensors`, and ValueError for an archive that claims to
    be much larger than it is, or for instructions that would take for ever.
    """
    if _is_safetensors(path):
        return read_safetensors(path)
    source: Path | io.BytesIO = path
    with path.open("rb") as stream:
        is_archive = stream.read(len(ZIP)) == ZIP  # as torch.load tells
    if is_archive:
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, path.stat().st_size)
        reader = torch._C.PyTorchFileReader(str(path))  # as torch.load sees the file
        if "constants.pkl" not in reader.get_all_records():  # TorchScript, which torch refuses
            check_instructions(reader.get_record("data.pkl"))
    else:  # a format of torch before 1.6, whose lengths torch does not check against the file
        source = io.BytesIO(path.read_bytes())
        for _ in range(PICKLES):
            if source.tell() < path.stat().st_size:  # torch names the fault of one that ends here
                check_instructions(source)
        source.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about foreign files
        return torch.load(source, map_location="cpu", weights_only=True)


def is_checkpoint(path: Path, kind: str) -> bool:
    """Whether a path is that of a checkpoint of ganexplain of that kind."""
    if path.suffix.removeprefix(".") not in FORMATS or not path.is_file():
        return False
    try:
        if not _is_safetensors(path):
            with zipfile.ZipFile(path) as archive:
                if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                    return False  # TorchScript
        content = load_data(path)
    except Exception as error:  # the file is of another kind or damaged
        if is_out_of_memory(error):
            raise
        return False
    return isinstance(content, dict) and content.get("kind") == kind and "schema" in content


def plain_value(path: Path, content: Document, name: str, kind: type[Plain]) -> Plain:
    """A value of a checkpoint; GanexplainError if it has another type."""
    value = content[name]
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        raise GanexplainError(
            f"{path}: {name} is {short_repr(value)}, not {kind.__name__}; make it again"
        )
    return value


def build_network_from(path: Path, weights: Any, make: Callable[[], Network]) -> Network:
    """As `build_network`, with a GanexplainError that names the file."""
    try:
        return build_network(weights, make)
    except ValueError as error:
        raise GanexplainError(f"{path}: {error}") from error


def build_network(weights: Any, make: Callable[[], Network]) -> Network:
    """The network that `make` returns, with `weights`; ValueError if they do not fit.

    Memory is allocated only after the shapes are known to fit and the weights to be complete.
    """
    try:
        if not isinstance(weights, Mapping):
            raise TypeError(f"they are {short_repr(weights)}")
        with torch.device("meta"):
            make().load_state_dict(weights, assign=True)
        storages = [value.untyped_storage() for value in weights.values()]
        kept = {storage.data_ptr(): storage.nbytes() for storage in storages}
        if sum(value.nbytes for value in weights.values()) > sum(kept.values()):
            raise ValueError("they claim to be larger than they are")
        network = make()
        network.load_state_dict(weights)
    except UsageError:
        raise
    except Exception as error:  # torch raises many kinds for numbers that it cannot make layers of
        raise ValueError(f"weights do not fit the network ({reason_of(error)})") from error
    for name, value in network.state_dict().items():
        if not torch.isfinite(value).all():
            raise ValueError(f"weight {name} contains values that are not finite")
    return network


def freeze_network(network: Network, device: torch.device) -> Network:
    """The network on the device, in eval mode, with frozen weights, channels last (the fastest)."""
    network = network.to(device).eval().requires_grad_(False)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
