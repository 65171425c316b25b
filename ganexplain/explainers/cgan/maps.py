"""How a network processed an input: a map of every convolution, summed up from deep to shallow.

After Akash Guna R T, Benitez and Sikha (arXiv 2301.08067; KBS 302, 2024) and their released code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional

from ganexplain.attribution.methods.grad_cam import convolutions, enlarged
from ganexplain.errors import UsageError
from ganexplain.networks.gradient_faults import find_gradient_fault, gradient_errors_named
from ganexplain.networks.hooks import find_layer, tap_outputs

CONDITIONS = 8  # maps that a generator is given, at most


def scaled(maps: Tensor) -> Tensor:
    """Maps (..., H, W), each from 0 (its least) to 1; a flat one is 0 throughout."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp_min(1e-30)


def signed(maps: Tensor) -> Tensor:
    """Maps (..., H, W) of both signs as 0 to 1: 0.5 for 0, each over its largest magnitude."""
    return 0.5 + maps / (2 * maps.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(1e-30))


def maps_and_gradient(
    network: nn.Module, logits: Callable[[Tensor], Tensor], x: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Maps (B, H, W), 0 to 1, of every convolution, and the gradient, of inputs (B, *S).

    S ends with H, W. Maps by name, the deepest first (the order of the pass, reversed). A layer's
    is the sum of its channels, each times the mean over places of its guided gradient, which
    counts only where it and the activation are above zero; no rectifier follows. `logits` gives
    those (B,) of the targets, from a pass of `network`; the gradient (B, *S) is of their sum, by
    the input. One pass and one gradient. Raises UsageError where the network has no convolution,
    or none that a gradient reaches.
    """
    leaf = x.detach().requires_grad_(True)
    known = convolutions(network, ("Conv1d", "Conv2d"))
    modules = {name: find_layer(network, name) for name in known}
    with torch.enable_grad(), gradient_errors_named(network, logits) as watched:
        with tap_outputs(network, modules) as taps:
            total = watched(leaf).sum()
        if not taps:
            raise UsageError("the network runs no convolution, of which maps could be made")
        edges = {name: tap.edge for name, tap in taps.items() if tap.edge is not None}
        if not (edges and total.requires_grad):
            cause = find_gradient_fault(network, logits, x) or "it does not depend on them"
            raise UsageError(f"no gradient of the output reaches the convolutions: {cause}")
        by = [*edges.values(), get_gradient_edge(leaf)]
        *gradients, by_input = torch.autograd.grad(total, by, allow_unused=True)
    maps = {
        name: scaled(enlarged(_weighted(taps[name].value, gradient), *x.shape[-2:]))
        for name, gradient in zip(edges, gradients, strict=True)
    }
    return dict(reversed(maps.items())), torch.zeros_like(x) if by_input is None else by_input


def product(x: Tensor, gradient: Tensor, mean: Tensor) -> Tensor:
    """What inputs (B, *S) are above the `mean` (S[0],), times the gradient: maps (B, H, W).

    Input x gradient (Shrikumar et al., arXiv 1605.01713); of a picture the sum of its channels.
    """
    above = x - mean.reshape(-1, *[1] * (x.ndim - 2))
    found = above * gradient
    return found.sum(dim=1) if found.ndim == 4 else found


def _weighted(activation: Tensor, gradient: Tensor | None) -> Tensor:
    """The map (B, h, w) of activations (B, C, h, w), or of (B, C, w) as one row."""
    if gradient is None:  # what lies behind the target
        gradient = torch.zeros_like(activation)
    guided = gradient * (activation > 0) * (gradient > 0)
    places = tuple(range(2, activation.ndim))
    area = (guided.mean(dim=places, keepdim=True) * activation).sum(dim=1).float()
    return area[:, None] if area.ndim == 2 else area


def working_size(shape: Sequence[int], longest: int) -> tuple[int, int]:
    """Cells of maps over inputs (..., H, W), at most `longest` along the longer axis; 0: H, W."""
    height, width = shape[-2:]
    share = longest / max(height, width)
    if not 0 < share < 1:
        return height, width
    return max(1, round(height * share)), max(1, round(width * share))


def pooled(maps: Tensor, longest: int) -> Tensor:
    """Means (B, n, h, w) of maps (B, n, H, W) in the cells of their working size."""
    return functional.adaptive_avg_pool2d(maps, working_size(maps.shape, longest))


def reduced(maps: Tensor, longest: int) -> Tensor:
    """The same of maps from 0 to 1, which they are again."""
    found = pooled(maps, longest)
    return maps if found.shape == maps.shape else scaled(found)


def cumulative(maps: Tensor) -> Tensor:
    """Sums (B, L, H, W) of maps (B, L, H, W), the deepest first: C_j of M_0 to M_j, 0 to 1 each."""
    return scaled(maps.cumsum(dim=1))


def condition_indices(layers: int, count: int = CONDITIONS) -> list[int]:
    """Which of so many cumulative maps are the `count` conditions; all where there are as many.

    Those at 0, 15, 29, 43, 58, 72, 86 and 100 % of the way, rounded up. Where there are fewer
    layers than conditions some stand twice.
    """
    if layers == count:
        return list(range(layers))
    percentages = [-(-100 * i // max(count - 1, 1)) for i in range(count)]
    return [-(-p * (layers - 1) // 100) for p in percentages]
