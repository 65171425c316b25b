"""Reads networks in ONNX files; their graphs are run by `networks/onnx/`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.networks.onnx.graph import DOMAINS, NotRunnable
from ganexplain.networks.onnx.network import OnnxNetwork
from ganexplain.networks.onnx.node import OPERATORS

OLDEST = 7  # operator sets before it broadcast by attributes


def read_onnx(path: Path) -> nn.Module:
    """The network in an ONNX file, as a module with a layer for each node of its graph.

    Raises UsageError if the package onnx is not installed or an operator is not known, with the
    name of its node, and GanexplainError for a damaged file.
    """
    try:
        import onnx
    except ImportError as error:
        raise UsageError(
            f"--model {path}: ONNX needs the package onnx: pip install onnx ({reason_of(error)})"
        ) from error
    try:
        model = _expanded(onnx.load(path))
        opset = max(entry.version for entry in model.opset_import if entry.domain in DOMAINS)
    except Exception as error:  # protobuf raises its own kinds; files of weights may be missing
        raise _unreadable(path, error) from error
    if opset < OLDEST:
        raise GanexplainError(
            f"--model {path}: has operator set {opset}, and {OLDEST} is the oldest that is read; "
            "convert it with onnx.version_converter"
        )
    try:
        return OnnxNetwork(model, opset).eval()
    except NotRunnable as error:
        raise NotRunnable(error.op, error.node, error.reason, f"--model {path}") from error
    except (ValueError, LookupError, AttributeError, TypeError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> GanexplainError:
    return GanexplainError(f"--model {path}: cannot be read as ONNX ({reason_of(error)})")


def _expanded(model: Any) -> Any:
    """The model with the functions of the file, and operators defined by others, written out."""
    from onnx import inliner

    if model.functions:
        model = inliner.inline_local_functions(model)
    unknown = {node.op_type for node in model.graph.node} - set(OPERATORS)
    if not unknown or not hasattr(inliner, "inline_selected_functions"):
        return model
    chosen = [("", name) for name in sorted(unknown)]
    return inliner.inline_selected_functions(model, chosen, inline_schema_functions=True)
