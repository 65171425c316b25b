"""Loads networks: TorchScript, torch.export, ONNX or TFLite files, folders, or a factory.

A file of another kind is answered with the way to a kind that can be loaded.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from ganexplain.errors import GanexplainError, UsageError, check_known, reason_of
from ganexplain.files.checkpoints import load_data
from ganexplain.networks.loaders.exported import read_exported
from ganexplain.networks.loaders.factories import call_factory
from ganexplain.networks.loaders.given import load_given
from ganexplain.networks.loaders.names import OURS, check_network_file, is_factory, is_pretrained
from ganexplain.networks.loaders.onnx import read_onnx
from ganexplain.networks.loaders.pretrained import read_pretrained
from ganexplain.networks.loaders.runtimes import read_onnxruntime, read_tflite
from ganexplain.networks.loaders.scripted import read_torchscript
from ganexplain.networks.loaders.weights import load_weights

TORCH, ONNXRUNTIME = BACKENDS = "torch", "onnxruntime"


def load_network(
    model: str, weights: str = "", trust_pickle: bool = False, backend: str = TORCH
) -> nn.Module:
    """The network in a file or folder, made by a factory, or given from Python, on the CPU.

    `backend` is what runs an ONNX file: with `onnxruntime` it is a black box.
    Raises UsageError for a missing file or an unknown kind of file, a factory that cannot be
    called, and a pickled module without `trust_pickle`. Raises GanexplainError for a damaged file,
    weights that do not fit, and an operator that cannot be converted, which is named.
    """
    path = Path(model)
    if check_known("--backend", backend, BACKENDS) != TORCH and path.suffix != ".onnx":
        raise UsageError(f"--backend {backend}: runs a FILE.onnx, not {model}; leave it out")
    if is_factory(model):
        network = call_factory(model)
        if weights:
            load_weights(network, weights)
        return network
    if weights:
        raise UsageError(
            f"--weights {weights}: applies to --model module:factory or file.py:factory, not to a "
            "whole network"
        )
    if (given := load_given(model)) is not None:  # a module may have no truth value
        return given
    if is_pretrained(model):
        return read_pretrained(path)
    check_network_file(model)
    if path.suffix == ".pt2":
        return _read(path, read_exported)
    if path.suffix == ".tflite":
        return _read(path, read_tflite)
    if path.suffix == ".onnx":
        return read_onnx(path) if backend == TORCH else _read(path, read_onnxruntime)
    return _read_archive(path, trust_pickle)


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
        "--model file.py:NAME --weights FILE"
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
                f"--model {path}: a pickled object, and loading it runs any code in the file; name "
                f"the network's class and take the weights alone, --model file.py:NAME --weights "
                f"{path}, export it to TorchScript (torch.jit.trace), or, if you trust its author, "
                "add --trust-pickle"
            )
        return _damaged(path, error)
    if isinstance(content, Mapping) and str(content.get("kind")) == "classifier":
        return UsageError(f"--model {path}: {OURS}")
    return UsageError(
        f"--model {path}: contains weights without a network; name its factory, --model "
        f"file.py:NAME --weights {path}"
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
