"""Reads networks in ONNX files; their graphs are run by `networks/onnx/`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from ganexplain.errors import GanexplainError, UsageError, reason_of
from ganexplain.networks.onnx.graph import DOMAINS, NotRunnable
from ganexplain.networks.onnx.network import OnnxNetwork
from ganexplain.networks.onnx.node import OPERATORS

MOST_NODES = 10**6
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
    except (UsageError, MemoryError):
        raise
    except Exception as error:  # values in the file may be of any kind
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> GanexplainError:
    return GanexplainError(f"--model {path}: cannot be read as ONNX ({reason_of(error)})")


def _expanded(model: Any) -> Any:
    """The model with the functions of the file, and operators defined by others, written out."""
    from onnx import helper, inliner

    if model.functions:
        _check_size(model)
        model = inliner.inline_local_functions(model)
    unknown = {node.op_type for node in _nodes_of(model.graph)} - set(OPERATORS)
    if not unknown or not hasattr(inliner, "inline_selected_functions"):
        return model
    for weight in model.graph.initializer:  # whose types the inliner does not look up
        known = helper.make_tensor_value_info(weight.name, weight.data_type, weight.dims)
        model.graph.value_info.append(known)
    for node in _nodes_of(model.graph):
        if node.op_type in unknown and node.domain in DOMAINS:
            _write_defaults(node, model)
    chosen = [("", name) for name in sorted(unknown)]
    try:
        return inliner.inline_selected_functions(model, chosen, inline_schema_functions=True)
    except Exception:  # the operator is named when the graph is read
        return model


def _nodes_of(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of the branches and bodies in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes_of(attribute.g)


def _write_defaults(node: Any, model: Any) -> None:
    """Add the attributes that a node leaves out: the inliner does not look up their defaults."""
    from onnx import defs

    opset = max(entry.version for entry in model.opset_import if entry.domain in DOMAINS)
    if not defs.has(node.op_type, node.domain):
        return
    known = defs.get_schema(node.op_type, opset, node.domain).attributes
    given = {attribute.name for attribute in node.attribute}
    for name, attribute in known.items():
        if name not in given and attribute.default_value.name:
            node.attribute.append(attribute.default_value)


def _check_size(model: Any) -> None:
    """ValueError for functions that call each other so often that they would fill the memory."""
    functions = {(each.domain, each.name): each for each in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size_of(nodes: Any) -> int:
        total = 0
        for node in nodes:
            name = (node.domain, node.op_type)
            if name in functions and name not in sizes:
                sizes[name] = MOST_NODES + 1  # if it calls itself
                sizes[name] = size_of(functions[name].node)
            total += sizes.get(name, 1)
        return total

    if size_of(model.graph.node) > MOST_NODES:
        raise ValueError(f"its functions are more than {MOST_NODES:,} nodes when written out")
