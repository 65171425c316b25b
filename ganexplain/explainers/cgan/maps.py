"""Maps of the convolutions of a network for an input, and their cumulative sums as conditions.

After Akash Guna R T, Benitez and Sikha (arXiv 2301.08067; KBS 302, 2024) and their released code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.attribution.methods.grad_cam import convolutions, enlarged, upright
from ganexplain.errors import UsageError
from ganexplain.networks.gradient_faults import find_gradient_fault, gradient_errors_named
from ganexplain.networks.hooks import find_layer, tap_outputs
from ganexplain.networks.taps import Tap, gradients_at

CONDITIONS = 8  # most conditions of a generator


def to_unit_range(maps: Tensor) -> Tensor:
    """Scale each of maps (..., H, W) to 0..1; a constant map becomes 0."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    return (maps - low) / (high - low).clamp_min(1e-30)


def to_signed_range(maps: Tensor) -> Tensor:
    """Scale each of maps (..., H, W) of both signs to 0..1, so that 0 becomes 0.5."""
    return 0.5 + maps / (2 * maps.abs().amax(dim=(-2, -1), keepdim=True).clamp_min(1e-30))


@dataclass(frozen=True)
class Backward:
    """A pass of inputs (B, *S): its logits (B,), and the gradients of their sum.

    `layers` are the outputs of the convolutions, in the order of the pass, each with its gradient,
    which is None if the logits do not depend on it; `by_input` is the gradient by the inputs.
    """

    logits: Tensor
    layers: dict[str, tuple[Tap, Tensor | None]]
    by_input: Tensor


def gradients_of_pass(
    network: nn.Module, logits: Callable[[Tensor], Tensor], x: Tensor
) -> Backward:
    """Run a pass of inputs (B, *S) and a gradient; arguments, errors as maps_and_gradient."""
    leaf = x.detach().requires_grad_(True)
    known = convolutions(network, (1, 2))
    modules = {name: find_layer(network, name) for name in known}
    with torch.enable_grad(), gradient_errors_named(network, logits) as watched:
        with tap_outputs(network, modules) as taps:
            found = watched(leaf)
            total = found.sum()
        if not taps:
            raise UsageError("the network runs no convolution, of which maps could be made")
        tapped = {name: tap for name, tap in taps.items() if tap.edges}
        if not (tapped and total.requires_grad):
            cause = find_gradient_fault(network, logits, x) or "it does not depend on them"
            raise UsageError(f"no gradient of the output reaches the convolutions: {cause}")
        *gradients, by_input = gradients_at(total, [*tapped.values(), Tap.of(leaf)])
    layers = dict(zip(tapped, zip(tapped.values(), gradients, strict=True), strict=True))
    return Backward(found.detach(), layers, torch.zeros_like(x) if by_input is None else by_input)


def maps_and_gradient(
    network: nn.Module, logits: Callable[[Tensor], Tensor], x: Tensor
) -> tuple[dict[str, Tensor], Tensor]:
    """Return maps (B, H, W), 0 to 1, of all convolutions by name, deepest first, and the gradient.

    The map of a layer is the sum of its channels, each times the mean over places of its guided
    gradient: the gradient where it and the activation are positive. The gradient (B, *S) is that of
    the sum of the logits by the input. One pass and one gradient.

    Args:
        network: the network to explain.
        logits: function from inputs to the targets' logits (B,), by a pass of `network`.
        x: inputs (B, *S), where S ends with H, W.

    Raises:
        UsageError: the network has no convolution, or no gradient reaches one.
    """
    found = gradients_of_pass(network, logits, x)
    return layer_maps(found, x.shape), found.by_input


def layer_maps(found: Backward, shape: Sequence[int]) -> dict[str, Tensor]:
    """Return the maps (B, H, W) of maps_and_gradient for inputs of a shape (B, ..., H, W)."""
    maps = {
        name: to_unit_range(enlarged(_weighted(tap, gradient), *shape[-2:]))
        for name, (tap, gradient) in found.layers.items()
    }
    return dict(reversed(maps.items()))


def input_times_gradient(x: Tensor, gradient: Tensor, mean: Tensor) -> Tensor:
    """Return inputs (B, *S) minus `mean` (S[0],), times the gradient, as maps (B, H, W).

    Input x gradient (Shrikumar et al., arXiv 1605.01713), summed over the channels of pictures.
    """
    above = x - mean.reshape(-1, *[1] * (x.ndim - 2))
    found = above * gradient
    return found.sum(dim=1) if found.ndim == 4 else found


def _weighted(tap: Tap, gradient: Tensor | None) -> Tensor:
    """Return the map (B, h, w) of activations (B, C, h, w) or (B, C, w), as `upright`."""
    activation = tap.value
    if gradient is None:  # the layer is after the target
        gradient = torch.zeros_like(activation)
    guided = gradient * (activation > 0) * (gradient > 0)
    places = tuple(range(2, activation.ndim))
    area = (guided.mean(dim=places, keepdim=True) * activation).sum(dim=1).float()
    return upright(area, tap.layer, area.ndim - 1) if tap.layer else area


def working_size(shape: Sequence[int], longest: int) -> tuple[int, int]:
    """Return the size of maps for inputs (..., H, W), at most `longest` cells a side; 0: H, W."""
    height, width = shape[-2:]
    share = longest / max(height, width)
    if not 0 < share < 1:
        return height, width
    return max(1, round(height * share)), max(1, round(width * share))


def pool_maps(maps: Tensor, longest: int) -> Tensor:
    """Average maps (B, n, H, W) over the cells of their working size, (B, n, h, w)."""
    return functional.adaptive_avg_pool2d(maps, working_size(maps.shape, longest))


def shrink_maps(maps: Tensor, longest: int) -> Tensor:
    """Average maps (B, n, H, W) as `pool_maps` and scale each to 0..1 again."""
    found = pool_maps(maps, longest)
    return maps if found.shape == maps.shape else to_unit_range(found)


def accumulate_maps(maps: Tensor) -> Tensor:
    """Return sums (B, L, H, W) of maps M_0 to M_j (B, L, H, W), deepest first, each in 0..1."""
    return to_unit_range(maps.cumsum(dim=1))


def condition_indices(layers: int, count: int = CONDITIONS) -> list[int]:
    """Return the indices of the `count` cumulative maps, of one for each layer, to use.

    They are at 0, 15, 29, 43, 58, 72, 86 and 100 % of the layers, rounded up. With fewer layers
    than conditions some indices occur twice.
    """
    if layers == count:
        return list(range(layers))
    percentages = [-(-100 * i // max(count - 1, 1)) for i in range(count)]
    return [-(-p * (layers - 1) // 100) for p in percentages]
