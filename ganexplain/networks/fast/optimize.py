"""Any frozen network in a form that computes the same faster: for ascent, which runs it often.

Chains of convolution, max-pool and rectifier become one `PooledConvolution`, convolutions to a
single channel a `RowwiseConvolution`. What torch.fx cannot trace stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, fx, nn

from ganexplain.networks.fast.few_channels import RowwiseConvolution, has_one_output_channel
from ganexplain.networks.fast.patterns import PatternFinder
from ganexplain.networks.fast.pooled import PooledConvolution
from ganexplain.networks.tracing import LeafTracer

TYPICAL, WORST = 1e-4, 1e-2  # deviation of gradients allowed: of the median example, of any


def optimize_frozen(network: nn.Module, example: Tensor, keep: Collection[str] = ()) -> nn.Module:
    """A network that gives what `network` gives, and the same gradient of its input, faster.

    `network` is in eval mode with frozen weights, from (B, ...) to (B, ...). Where it is not,
    has hooks, puts out several tensors, cannot be traced, has nothing to rewrite, or comes out
    different on `example` (B, ...), it is returned itself. Tensors are shared, and `network`
    stays as it is; move it to its device before.

    Layers named in `keep` can be looked up and hooked in the result and put out what they did.
    So can all others but containers (nn.Sequential), those behind what the output needs, and
    the members of a rewritten chain before its last, under whose name the chain stands.
    """
    with torch.no_grad():
        one_output = isinstance(network(example), Tensor)
    if _unsuitable(network) or not (one_output and example.is_floating_point()):
        return network
    try:
        graph = LeafTracer(keep).trace(network)
    except Exception:  # whatever a foreign network's code makes of symbolic values
        return network
    fast = fx.GraphModule(network, graph, type(network).__name__)
    try:
        return fast if _rewrite(fast, keep) and _agree(network, fast, example) else network
    except RuntimeError:  # its code allows no gradient of the whole, only of some layers
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
    """Rewrite layers and chains in place; False where there is nothing to rewrite."""
    reader = PatternFinder(fast, keep)
    changed = False
    for node in list(fast.graph.nodes):
        chain = reader.chain(node)
        if chain is not None:
            module: nn.Module = PooledConvolution(
                chain.convolution, chain.window, chain.slope, chain.front, chain.front_slope
            )
            _put(fast, chain.nodes, module, reader)
            changed = True
        elif (
            reader.is_free(node)
            and len(node.args) == 1
            and has_one_output_channel(reader.module(node))
        ):
            _put(fast, [node], RowwiseConvolution(reader.module(node)), reader)
            changed = True
    fast.graph.lint()
    fast.recompile()
    return changed


def _put(
    fast: fx.GraphModule, nodes: list[fx.Node], module: nn.Module, reader: PatternFinder
) -> None:
    """One node for several, under the name of the last where that is a module of its own."""
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
    """Whether outputs and input gradients are equal to rounding, in a batch and alone.

    Where a rectifier or a maximum hangs in the balance, rounding may turn it and change the
    gradient of that example a little, but not of most examples.
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
        # Weights that vary: a plain sum may have no gradient, behind a softmax say.
        weights = torch.linspace(-1, 2, y[0].numel(), device=y.device).view(y.shape[1:])
        (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    return y.detach(), gradient
