"""What a network computes behind one of its layers, as a module of its own (torch.fx)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import fx, nn

from ganexplain.errors import UsageError, check_known, reason_of
from ganexplain.networks.adapter import OUTPUT, named_layers
from ganexplain.networks.copies import copy_network


def subnetwork_after(network: nn.Module, layer: str, ends: Sequence[str]) -> fx.GraphModule:
    """A copy of what leads from the output of `layer` to those of `ends`, a tuple of tensors.

    `ends` are names of layers, or `output` for the network's. The copy has weights of its own,
    leaves what it is given as it is, and is in the mode `network` is in. Raises UsageError where a
    name is unknown, a layer runs several times in a pass, an end is not behind the layer or is
    reached on another way too, or the code of the network cannot be traced.
    """
    places = _places(network, [name for name in (layer, *ends) if name != OUTPUT])
    graph = _traced(network, list(places.values()))
    _read_what_was_written(network, graph)
    start = _call(graph, layer, places)
    finish = [_result(graph) if end == OUTPUT else _call(graph, end, places) for end in ends]
    needed = _between(start, dict(zip(ends, finish, strict=True)), layer)
    part = fx.Graph()
    own = {start: part.call_method("clone", (part.placeholder("features"),))}
    ends_as_put_out: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        if node in needed:
            given = own | _copies_to_write(network, node, part, own)
            own[node] = part.node_copy(node, given.__getitem__)
            if node in finish:  # before later layers write into it
                ends_as_put_out[node] = part.call_method("clone", (own[node],))
    part.output(tuple(ends_as_put_out[node] for node in finish))
    return copy_network(fx.GraphModule(network, part, "Tail")).train(network.training)


def _places(network: nn.Module, layers: Sequence[str]) -> dict[str, str]:
    """Where in the network its layers stand: of a foreign one they have names of their own."""
    known = named_layers(network)
    standing = {module: name for name, module in network.named_modules()}
    return {layer: standing[known[check_known("layer", layer, known)]] for layer in layers}


def _traced(network: nn.Module, leaves: Sequence[str]) -> fx.Graph:
    try:
        return LeafTracer(leaves).trace(network)
    except Exception as error:  # whatever a foreign network's code makes of symbolic values
        raise UsageError(
            f"the network's code cannot be traced by torch.fx ({reason_of(error)})"
        ) from error


def _read_what_was_written(network: nn.Module, graph: fx.Graph) -> None:
    """Have all that reads a tensor behind a write into it read the result of that write."""
    order = {node: number for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        written = node.args[0] if node.args else None
        if isinstance(written, fx.Node) and _writes(network, node):
            for user in [each for each in written.users if order[each] > order[node]]:
                user.replace_input_with(written, node)


def _copies_to_write(
    network: nn.Module, node: fx.Node, part: fx.Graph, own: Mapping[fx.Node, fx.Node]
) -> dict[fx.Node, fx.Node]:
    """A copy of what a call writes into, for the gradients of what read it before need it."""
    written = node.args[0] if node.args else None
    if not (isinstance(written, fx.Node) and _writes(network, node)):
        return {}
    return {written: part.call_method("clone", (own[written],))}


def _writes(network: nn.Module, node: fx.Node) -> bool:
    """Whether a call writes into its first argument."""
    if node.op == "call_module":
        return bool(getattr(network.get_submodule(str(node.target)), "inplace", False))
    name = getattr(node.target, "__name__", str(node.target))
    by_name = name.endswith("_") and not name.endswith("__")
    return by_name or bool(node.kwargs.get("inplace", False))


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
        raise UsageError("the network puts out more than one tensor")
    return result


def _between(start: fx.Node, finish: dict[str, fx.Node], layer: str) -> set[fx.Node]:
    """The nodes that the ends need behind the start."""
    needed: set[fx.Node] = set()
    for end, node in finish.items():
        mine, waiting = {start}, [node]
        while waiting:
            each = waiting.pop()
            if each in mine:
                continue
            if each.op == "placeholder":
                reason = "is not behind" if not _reaches(start, node) else "bypasses, in part,"
                raise UsageError(f"layer {end} {reason} layer {layer}; name other layers")
            mine.add(each)
            waiting += each.all_input_nodes
        if node is start:
            raise UsageError(f"layer {end} is layer {layer} itself; name a later one")
        needed |= mine - {start}
    return needed


def _reaches(start: fx.Node, node: fx.Node) -> bool:
    """Whether what a node puts out depends on `start`."""
    seen, waiting = {start}, [start]
    while waiting:
        for user in waiting.pop().users:
            if user not in seen:
                seen.add(user)
                waiting.append(user)
    return node in seen


class LeafTracer(fx.Tracer):
    """Leaves the modules of these names whole, so that they can be found and hooked."""

    def __init__(self, keep: Collection[str]) -> None:
        super().__init__()
        self.keep = set(keep)

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        """Whether calls of a module are not traced into."""
        return name in self.keep or super().is_leaf_module(module, name)
