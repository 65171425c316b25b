"""Rewrites a frozen network to run faster on a CPU, for ascent, which runs it often.

Convolution, max-pool and rectifier become one `PooledConvolution`, a convolution to one channel
becomes a `RowwiseConvolution`. A network that torch.fx cannot trace stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, fx, nn

from ganexplain.networks.fast.few_channels import RowwiseConvolution, has_one_output_channel
from ganexplain.networks.fast.patterns import PatternFinder
from ganexplain.networks.fast.pooled import PooledConvolution
from ganexplain.networks.tracing import LeafTracer

TYPICAL, WORST = 1e-4, 1e-2  # allowed deviation of the gradient: median and maximum over examples


def optimize_frozen(network: nn.Module, example: Tensor, keep: Collection[str] = ()) -> nn.Module:
    """A network with the same outputs and input gradients as `network`, but faster.

    Args:
        network: From (B, ...) to (B, ...), in eval mode with frozen weights, on its device.
        example: Inputs (B, ...) on which both forms are compared.
        keep: Names of layers that can be looked up and hooked in the result as before.

    Other layers can be looked up too, except containers (nn.Sequential), layers that the output
    does not need, and the layers of a rewritten pattern; the pattern has the name of its last.
    `network` itself is returned if it is not in eval mode or not frozen, has hooks, returns
    several tensors, cannot be traced, contains nothing to rewrite, or differs on `example`.
    Otherwise it is unchanged and shares its tensors with the result.
    """
    with torch.no_grad():
        one_output = isinstance(network(example), Tensor)
    if _unsuitable(network) or not (one_output and example.is_floating_point()):
        return network
    try:
        graph = LeafTracer(keep).trace(network)
    except Exception:  # any code may fail on symbolic values
        return network
    fast = fx.GraphModule(network, graph, type(network).__name__)
    setattr(fast, "reached", getattr(network, "reached", {}))  # noqa: B010 - the layers of options
    try:
        return fast if _rewrite(fast, keep) and _agree(network, fast, example) else network
    except RuntimeError:  # the output has no gradient; some layers may have one
        return network


def _unsuitable(network: nn.Module) -> bool:
    hooked = any(
        getattr(module, kind)
        for module in network.modules()
        for kind in (
            "_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"
        )
    )  # fmt: skip
    training = any(module.training for module in network.modules())
    return hooked or training or any(p.requires_grad for p in network.parameters())


def _rewrite(fast: fx.GraphModule, keep: Collection[str]) -> bool:
    """Rewrite layers and patterns in place; returns whether there was anything to rewrite."""
    reader = PatternFinder(fast, keep)
    changed = False
    for node in list(fast.graph.nodes):
        found = reader.pattern(node)
        if found is not None:
            module = PooledConvolution(
                found.convolution, found.window, found.slope, found.front, found.front_slope
            )
            _replace(fast, found.nodes, module, reader)
            changed = True
        elif (
            reader.is_free(node)
            and len(node.args) == 1
            and has_one_output_channel(reader.module(node))
        ):
            _replace(fast, [node], RowwiseConvolution(reader.module(node)), reader)
            changed = True
    fast.graph.lint()
    fast.recompile()
    return changed


def _replace(
    fast: fx.GraphModule, nodes: list[fx.Node], module: nn.Module, reader: PatternFinder
) -> None:
    """Replace nodes by one module, with the name of the last node if that is a module."""
    last = nodes[-1]
    own = last.op == "call_module" and reader.calls[str(last.target)] == 1
    name = str(last.target) if own else f"fast_{last.name}"
    fast.add_submodule(name, module.eval())
    with fast.graph.inserting_before(last):
        new = fast.graph.call_module(name, (nodes[0].args[0],))
    last.replace_all_uses_with(new)
    for node in reversed(nodes):
        fast.graph.erase_node(node)
        if reader.calls[str(node.target)] == 1 and node.target != name:
            fast.delete_submodule(str(node.target))


def _agree(network: nn.Module, other: nn.Module, example: Tensor) -> bool:
    """Whether outputs and input gradients are equal but for rounding, in a batch and alone.

    Rounding may switch a rectifier or a maximum that is nearly tied, which changes the gradient
    of that example a little, but not those of most examples.
    """
    deviations = []
    for x in (example, example[:1]):
        (y, gradient), (other_y, other_gradient) = (
            _output_and_gradient(each, x) for each in (network, other)
        )
        if y.shape != other_y.shape or not torch.allclose(y, other_y, rtol=1e-4, atol=1e-5):
            return False
        size = gradient.flatten(1).norm(dim=1).clamp_min(torch.finfo(y.dtype).tiny)
        deviations.append((other_gradient - gradient).flatten(1).norm(dim=1) / size)
    deviation = torch.cat(deviations)
    return bool(deviation.median() <= TYPICAL and deviation.max() <= WORST)


def _output_and_gradient(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        y = network(x)
        # The weights vary because a plain sum may have no gradient, for example after a softmax.
        weights = torch.linspace(-1, 2, y[0].numel(), device=y.device).view(y.shape[1:])
        (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return y.detach(), gradient
