"""Loads networks: TorchScript, torch.export or ONNX files, or a factory with weights."""

from __future__ import annotations

import importlib
import re
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganexplain.errors import GanexplainError, UsageError, did_you_mean, reason_of
from ganexplain.files.checkpoints import load_data
from ganexplain.networks.copies import unwrap
from ganexplain.networks.loaders.exported import read_exported
from ganexplain.networks.loaders.onnx import read_onnx
from ganexplain.networks.loaders.scripted import read_torchscript
from ganexplain.networks.loaders.weights import load_weights

SUFFIXES = (".pt", ".pth", ".ts", ".jit", ".pt2", ".onnx")


def load_network(model: str, weights: str = "", trust_pickle: bool = False) -> nn.Module:
    """The network in a file, or made by `module:factory`, on the CPU and otherwise unchanged.

    Raises UsageError for a missing file or an unknown kind of file, a factory that cannot be
    called, and a pickled module without `trust_pickle`. Raises GanexplainError for a damaged file,
    weights that do not fit, and an operator that cannot be converted, which is named.
    """
    path = Path(model)
    if is_factory(model):
        network = _call_factory(model)
        if weights:
            load_weights(network, Path(weights))
        return network
    if weights:
        raise UsageError(f"--weights {weights}: applies to --model module:factory, not to a file")
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"--model {model}: neither module:factory nor a file with one of the endings "
            f"{', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise UsageError(f"--model {model}: no such file")
    if path.suffix == ".pt2":
        return _read(path, read_exported)
    if path.suffix == ".onnx":
        return read_onnx(path)
    return _read_archive(path, trust_pickle)


def is_factory(model: str) -> bool:
    """Whether `model` is `module:factory` and not a file."""
    named = re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", model)
    return bool(named) and not Path(model).exists()


def code_of(model: str) -> str:
    """The file of the imported module of `module:factory`; empty if it has none."""
    module = sys.modules.get(model.partition(":")[0])
    return getattr(module, "__file__", None) or ""


# --- module:factory ---------------------------------------------------------------------------


def _call_factory(name: str) -> nn.Module:
    module_name, _, attributes = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))  # find a module in the current folder, as `python -m` does
    try:
        found: Any = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # its code may raise anything
        raise UsageError(
            f"--model {name}: {module_name} cannot be imported ({reason_of(error)})"
        ) from error
    finally:
        sys.path.pop(0)
    for attribute in attributes.split("."):
        if not hasattr(found, attribute):
            hint = did_you_mean(attribute, dir(found))
            raise UsageError(f"--model {name}: {module_name} has no {attribute!r}{hint}")
        found = getattr(found, attribute)
    try:
        network = found if isinstance(found, nn.Module) else found()
    except (Exception, SystemExit) as error:  # its code may raise anything
        advice = "; write one that needs no arguments" if isinstance(error, TypeError) else ""
        raise UsageError(
            f"--model {name}: the factory failed ({reason_of(error)}){advice}"
        ) from error
    if not isinstance(network, nn.Module):
        raise UsageError(f"--model {name}: returned {type(network).__name__}, not a torch module")
    return unwrap(network)


# --- files of a whole network -----------------------------------------------------------------


def _read_archive(path: Path, trust_pickle: bool) -> nn.Module:
    """The network of a TorchScript file or, if trusted, a pickled module."""
    if "constants.pkl" in zip_members(path):
        return _read(path, read_torchscript)
    if not trust_pickle:
        raise _untrusted(path)
    try:
        network = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # unpickling may raise anything
        raise _damaged(path, error) from error
    if isinstance(network, nn.Module):
        return network
    raise UsageError(
        f"--model {path}: contains {type(network).__name__}, not a network; name its factory, "
        "--model module:factory --weights FILE"
    )


def zip_members(path: Path) -> set[str]:
    """Names of the files in an archive, without its folder; empty if it is not an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.partition("/")[2] for name in archive.namelist()}
    except Exception:  # zipfile raises many kinds for a damaged one
        return set()


def _untrusted(path: Path) -> GanexplainError:
    """The error for a file that is not TorchScript: what it contains, and what to do."""
    try:
        content = load_data(path)
    except Exception as error:
        if zip_members(path) or "weights_only" in str(error) or "Weights only" in str(error):
            return UsageError(
                f"--model {path}: a pickled module, and loading it runs any code in the file; "
                "export it to TorchScript (torch.jit.trace), or, if you trust its author, add "
                "--trust-pickle"
            )
        return _damaged(path, error)
    if isinstance(content, Mapping) and str(content.get("kind")) == "classifier":
        return UsageError(f"--model {path}: a classifier of ganexplain; pass it with --classifier")
    return UsageError(
        f"--model {path}: contains weights without a network; name its factory, --model "
        f"module:factory --weights {path}"
    )


def _read(path: Path, read: Callable[[Path], nn.Module]) -> nn.Module:
    try:
        return read(path)
    except (GanexplainError, MemoryError):
        raise
    except Exception as error:  # torch raises many kinds
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> GanexplainError:
    return GanexplainError(
        f"--model {path}: cannot be loaded ({reason_of(error)}); export it again"
    )
