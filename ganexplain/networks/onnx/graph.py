"""A graph of ONNX as a module, with a submodule a node, so that every value can be recorded."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.errors import UsageError
from ganexplain.networks.onnx import (  # noqa: F401  each enters its operators
    arithmetic,
    control,
    convolutions,
    indices,
    quantised,
    recurrent,
    reductions,
    resize,
    shapes,
    signal,
)
from ganexplain.networks.onnx.dtypes import to_tensor
from ganexplain.networks.onnx.layers import torch_layer
from ganexplain.networks.onnx.node import OPERATORS, Node, UnsupportedUse, Value

LARGEST_FOLDED = 2**24  # values of a constant that is computed when a file is read
DOMAINS = ("", "ai.onnx")


class NotRunnable(UsageError):
    """A node that cannot be run: its operator, its name and the reason."""

    def __init__(self, op: str, name: str, reason: str, where: str = "--model") -> None:
        super().__init__(
            f"{where}: operator {op} of node {name!r} cannot be run: {reason}; export the network "
            "to TorchScript or torch.export, or run it as a black box (--backend onnxruntime)"
        )
        self.op, self.node, self.reason = op, name, reason


class OnnxNode(nn.Module):
    """One node: its operator, with the inputs that are constants as its weights.

    `kind` is the name of the operator. `forward` takes the other inputs, in order.
    """

    traced_as_one = True

    def __init__(self, node: Node, constants: Mapping[int, Tensor]) -> None:
        super().__init__()
        self.node, self.kind = node, node.op
        self.places = {}
        for place, value in constants.items():
            name = {1: "weight", 2: "bias"}.get(place, f"input_{place}")
            self.places[place] = name
            if value.is_floating_point() and value.ndim:
                self.register_parameter(name, nn.Parameter(value, requires_grad=False))
            else:
                self.register_buffer(name, value)
        for name, value in node.attributes.items():
            if isinstance(value, Graph):
                self.add_module(name, value)

    def forward(self, *inputs: Value) -> Value:
        """The output, or a tuple of the outputs."""
        given = iter(inputs)
        values = [
            getattr(self, self.places[place])
            if place in self.places
            else (next(given) if name else None)
            for place, name in enumerate(self.node.inputs)
        ]
        while values and values[-1] is None:
            values.pop()
        return _run(self.node, _on_one_device(values))


def _run(node: Node, values: Sequence[Value]) -> Value:
    """The output of a node with one; for others a tuple, None for what is not computed."""
    try:
        found = OPERATORS[node.op](node, *values)
    except UnsupportedUse as error:
        raise NotRunnable(node.op, node.name, str(error)) from error
    if len(node.outputs) == 1:
        return found[0] if isinstance(found, tuple) else found
    several = found if isinstance(found, tuple) else (found,)
    return (*several, *[None] * (len(node.outputs) - len(several)))


def _on_one_device(values: Sequence[Value]) -> list[Value]:
    """Tensors of shapes are made on the CPU: they follow the others to their device."""
    devices = {value.device for value in values if isinstance(value, Tensor)}
    if len(devices) < 2:
        return list(values)
    target = next(device for device in devices if device.type != "cpu")
    return [value.to(target) if isinstance(value, Tensor) else value for value in values]


@dataclass(frozen=True)
class Step:
    """A node in the order of a graph: its submodule, what it reads and makes, what may go then."""

    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    last_read: tuple[str, ...]


class Graph(nn.Module):
    """A graph of a file, or a branch or body in one.

    Args:
        graph: A `GraphProto`.
        opset: Version of the operator set.
        around: Constants of the graphs around this one, by name.
        prefixes: What exporters write before the names of nodes in this graph, for the graphs
            around it; submodules are inside the others already, and are named without.

    `inputs` are the names of the values that it is called with, `captured` those that it reads
    from the graph around it, which follow them in a call. Nodes with constant inputs alone are
    computed here. Raises NotRunnable for an operator that is not known.
    """

    captured: tuple[str, ...] = ()  # set here too, so that no submodule gets these names
    steps: tuple[Step, ...] = ()
    constant_outputs: Mapping[str, str] = {}

    def __init__(
        self,
        graph: Any,
        opset: int,
        around: Mapping[str, Tensor] | None = None,
        prefixes: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.prefixes = prefixes
        own = {each.name: to_tensor(each) for each in graph.initializer}
        constants = {**(around or {}), **own}
        self.inputs = tuple(each.name for each in graph.input if each.name not in own)
        self.outputs = tuple(each.name for each in graph.output)
        known = set(self.inputs) | {name for node in graph.node for name in node.output}
        captured: dict[str, None] = {}
        steps: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        for proto in graph.node:
            node, inner = _node_from(proto, opset, constants, prefixes)
            fixed = {k: constants[name] for k, name in enumerate(node.inputs) if name in constants}
            variable = tuple(name for k, name in enumerate(node.inputs) if name and k not in fixed)
            if not variable and not inner:
                folded = _folded(node, fixed)
                if folded is not None:
                    constants |= folded
                    continue
            captured |= dict.fromkeys(name for name in variable if name not in known)
            name = self._free_name(node)
            self.add_module(name, torch_layer(node, fixed) or OnnxNode(node, fixed))
            steps.append((name, variable, node.outputs))
        self.captured = tuple(captured)
        self._keep_constant_outputs(constants)
        self.steps = _with_last_reads(steps, self.outputs)

    def _free_name(self, node: Node) -> str:
        """A name for a submodule: that of the node, or of its operator.

        Other characters than those of plain names become `_`: torch.fx writes names into code.
        """
        plain = node.name
        for prefix in self.prefixes:
            plain = plain.removeprefix(prefix)
        plain = re.sub(r"[^\w/:+-]", "_", plain.replace(".", "/")).strip("/") or node.op
        name, number = plain, 1
        while hasattr(self, name):
            name, number = f"{plain}_{number}", number + 1
        return name

    def _keep_constant_outputs(self, constants: Mapping[str, Tensor]) -> None:
        buffers = {}
        for number, name in enumerate(self.outputs):
            if name in constants:
                buffers[name] = f"constant output {number}"  # no submodule has a space in its name
                self.register_buffer(buffers[name], constants[name])
        self.constant_outputs = buffers

    def forward(self, *values: Value) -> tuple[Value, ...]:
        """The outputs, in order, for the inputs and the captured values."""
        found = dict(zip((*self.inputs, *self.captured), values, strict=True))
        for name, buffer in self.constant_outputs.items():
            found[name] = getattr(self, buffer)
        for step in self.steps:
            result = self.get_submodule(step.module)(*[found[name] for name in step.inputs])
            if len(step.outputs) == 1:
                found[step.outputs[0]] = result
            else:
                for place, name in enumerate(step.outputs):
                    if name:
                        found[name] = result[place]
            for name in step.last_read:
                del found[name]
        return tuple(found[name] for name in self.outputs)


def _node_from(
    proto: Any, opset: int, constants: Mapping[str, Tensor], prefixes: tuple[str, ...]
) -> tuple[Node, bool]:
    """A node, and whether it has graphs inside; what these capture are inputs of the node."""
    from onnx import AttributeProto

    if proto.domain not in DOMAINS or proto.op_type not in OPERATORS:
        domain = f"{proto.domain}." if proto.domain not in DOMAINS else ""
        raise NotRunnable(f"{domain}{proto.op_type}", proto.name, "not known here")
    try:
        attributes = {
            each.name: Graph(each.g, opset, constants, (*prefixes, f"{proto.name}_{each.name}__"))
            if each.type == AttributeProto.GRAPH
            else _attribute(each)
            for each in proto.attribute
        }
    except UnsupportedUse as error:
        raise NotRunnable(proto.op_type, proto.name, str(error)) from error
    inputs = list(proto.input)
    graphs = [attributes[name] for name in GRAPHS.get(proto.op_type, ())]
    for graph in graphs:
        inputs += graph.captured
    outputs = list(proto.output)
    while len(outputs) > 1 and not outputs[-1]:
        outputs.pop()
    node = Node(proto.op_type, proto.name, tuple(inputs), tuple(outputs), attributes, opset)
    return node, bool(graphs)


GRAPHS = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}


def _attribute(proto: Any) -> Any:
    from onnx import AttributeProto, helper

    if proto.type == AttributeProto.TENSOR:
        return to_tensor(proto.t)
    value = helper.get_attribute_value(proto)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list | tuple):
        return tuple(each.decode() if isinstance(each, bytes) else each for each in value)
    return value


def _folded(node: Node, constants: Mapping[int, Tensor]) -> dict[str, Tensor] | None:
    """The outputs of a node of constants by name; None if it is to be run in each pass."""
    values = [constants.get(place) for place in range(len(node.inputs))]
    with torch.no_grad():
        found = _run(node, values)
    results = (found,) if len(node.outputs) == 1 else found
    small = all(isinstance(r, Tensor) and r.numel() <= LARGEST_FOLDED for r in results)
    return dict(zip(node.outputs, results, strict=False)) if small else None


def _with_last_reads(
    steps: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]], outputs: Sequence[str]
) -> tuple[Step, ...]:
    """The steps, each with the values that no later one reads."""
    needed = Counter(name for _, inputs, _ in steps for name in set(inputs))
    needed.update(outputs)
    found = []
    for module, inputs, made in steps:
        done = []
        for name in set(inputs):
            needed[name] -= 1
            if not needed[name]:
                done.append(name)
        done += [name for name in made if name and not needed[name]]
        found.append(Step(module, inputs, made, tuple(done)))
    return tuple(found)
