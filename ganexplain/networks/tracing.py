"""The part of a network behind one of its layers, as a module of its own (torch.fx)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import fx, nn

from ganexplain.errors import UsageError, check_known, reason_of, short_repr
from ganexplain.networks.adapter import OUTPUT, named_layers
from ganexplain.networks.copies import copy_network


def subnetwork_after(network: nn.Module, layer: str, ends: Sequence[str]) -> fx.GraphModule:
    """A copy of the part that computes the outputs of `ends` from the output of `layer`.

    `ends` are names of layers, or `output` for the whole network; the copy returns a tuple with
    one tensor for each. It has weights of its own, does not overwrite its input, and is in the
    mode (eval or training) of `network`.

    Raises UsageError if a name is unknown, a layer runs more than once in a pass, an end is not
    behind the layer or also depends on the input by another path, or the network's code cannot be
    traced.
    """
    places = _places(network, [name for name in (layer, *ends) if name != OUTPUT])
    graph = _traced(network, list(places.values()))
    _read_what_was_written(network, graph)
    start = _call(graph, layer, places)
    finish = [_result(graph) if end == OUTPUT else _call(graph, end, places) for end in ends]
    needed = _between(start, dict(zip(ends, finish, strict=True)), layer)
    part = fx.Graph()
    copies = {start: part.call_method("clone", (part.placeholder("features"),))}
    results: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in needed:
            arguments = dict(copies)
            if written := _overwritten(network, node):  # others need it for their gradients
                arguments[written] = part.call_method("clone", (copies[written],))
            copies[node] = part.node_copy(node, arguments.__getitem__)
            if node in finish:  # before later layers overwrite it
                results[node] = part.call_method("clone", (copies[node],))
    part.output(tuple(results[node] for node in finish))
    return copy_network(fx.GraphModule(network, part, "Tail")).train(network.training)


def _places(network: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """The full names of layers as submodules; a `NetworkAdapter` has shorter names for them."""
    known = named_layers(network)
    full_names = {module: name for name, module in network.named_modules()}
    modules = {layer: known[check_known("layer", layer, known)].module for layer in layers}
    return {layer: full_names[module] for layer, module in modules.items()}


def _traced(network: nn.Module, leaves: Sequence[str]) -> fx.Graph:
    try:
        return LeafTracer(leaves).trace(network)
    except Exception as error:  # any code may fail on symbolic values
        raise UsageError(
            f"the network's code cannot be traced by torch.fx ({reason_of(error)})"
        ) from error


def _read_what_was_written(network: nn.Module, graph: fx.Graph) -> None:
    """Make nodes that read a tensor after it was overwritten read the result of the write."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if written := _overwritten(network, node):
            for user in [each for each in written.users if order[each] > order[node]]:
                user.replace_input_with(written, node)


def _overwritten(network: nn.Module, node: fx.Node) -> fx.Node | None:
    """The node whose tensor a call overwrites: its first argument, or None."""
    if node.op == "call_module":
        in_place = getattr(network.get_submodule(str(node.target)), "inplace", False)
    else:
        name = getattr(node.target, "__name__", str(node.target))
        by_name = name.endswith("_") and not name.endswith("__")
        in_place = by_name or node.kwargs.get("inplace", False)
    first = node.args[0] if node.args else None
    return first if in_place and isinstance(first, fx.Node) else None


def _call(graph: fx.Graph, layer: str, places: Mapping[str, str]) -> fx.Node:
    calls = [n for n in graph.nodes if n.op == "call_module" and n.target == places[layer]]
    if len(calls) != 1:
        times = f"runs {len(calls)} times in" if calls else "is not reached by"
        raise UsageError(f"layer {layer} {times} a pass; name one that runs once")
    return calls[0]


def _result(graph: fx.Graph) -> fx.Node:
    (node,) = (n for n in graph.nodes if n.op == "output")
    result = node.args[0]
    if not isinstance(result, fx.Node):
        raise UsageError("the network's output is more than one tensor")
    return result


def _between(start: fx.Node, finish: dict[str, fx.Node], layer: str) -> set[fx.Node]:
    """The nodes behind the start that the ends need."""
    seen = {start}
    for end, node in finish.items():
        if node is start:
            raise UsageError(f"layer {end} is layer {layer} itself; name a later one")
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            if each.op == "placeholder":
                reason = "bypasses, in part," if _reaches(start, node) else "is not behind"
                raise UsageError(f"layer {end} {reason} layer {layer}; name other layers")
            seen.add(each)
            waiting += each.all_input_nodes
    return seen - {start}


def _reaches(start: fx.Node, node: fx.Node) -> bool:
    """Whether the output of a node depends on `start`."""
    seen, waiting = {start}, [start]
    while waiting:
        for user in waiting.pop().users:
            if user not in seen:
                seen.add(user)
                waiting.append(user)
    return node in seen


PLAIN_NAME = re.compile(r"[\w./:+ -]*")
NAMED_BY_TEXT = ("call_module", "get_attr", "call_method")


class LeafTracer(fx.Tracer):
    """Does not trace into the modules named in `keep`, so that they can be found and hooked."""

    def __init__(self, keep: Collection[str]) -> None:
        super().__init__()
        self.keep = set(keep)

    def trace(self, root: nn.Module | Callable[..., object], concrete_args: Any = None) -> fx.Graph:
        """The graph; UsageError for a name in it that is not plain: fx writes names into code."""
        graph = super().trace(root, concrete_args)
        for node in graph.nodes:
            if node.op in NAMED_BY_TEXT and not PLAIN_NAME.fullmatch(str(node.target)):
                raise UsageError(f"the layer {short_repr(node.target)} has no plain name")
        return graph

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether a module is called as a whole, not traced into."""
        one = name in self.keep or getattr(module, "traced_as_one", False)
        return one or super().is_leaf_module(module, name)
