"""What a network computes for an input, beside what it computes for the input without content.

A convolution's contribution at a place is the sum over its channels of the difference of both
outputs, times the gradient of the response (gradient times activation; Shrikumar et al., arXiv
1605.01713, HiResCAM, arXiv 2011.08891). Summed over all places it is, to first order, the
difference of the two responses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.grad_cam import enlarged, upright
from ganexplain.explainers.cgan.maps import (
    Backward,
    accumulate_maps,
    condition_indices,
    gradients_of_pass,
    layer_maps,
)
from ganexplain.networks.taps import Tap

LEVELS = 4  # convolutions whose contributions are shown, from the last to the first
SIDES = 2  # gradients: at the input and halfway to the input without content
POINTS = SIDES + 1  # inputs of a pass: those two, and the input without content


@dataclass(frozen=True)
class Signals:
    """What a generator is shown of a network for inputs (B, *S), and its responses.

    `contributions` (B, 2 * LEVELS + 2, H, W) are those of the convolutions, the last one first, and
    of the input, each with the gradient at the input and with that halfway to the input without
    content, which is where coalitions are; `cams` (B, LEVELS, H, W) are cumulative Grad-CAM maps;
    `whole` and `nothing` (B,) are the responses to the input and to that without content.
    """

    contributions: Tensor
    cams: Tensor
    whole: Tensor
    nothing: Tensor

    @property
    def difference(self) -> Tensor:
        """The response (B,) of the whole less that of nothing."""
        return self.whole - self.nothing


def network_signals(
    network: nn.Module, response: Callable[[Tensor], Tensor], x: Tensor, filled: Tensor
) -> Signals:
    """Return the signals for inputs (B, *S), of which `filled` (B, *S) is without content.

    `response` is a function from inputs (3 B, *S), all points one behind another, to responses
    (3 B,) by a pass of `network`. An input takes three passes and gradients; raises as
    gradients_of_pass.
    """
    points = torch.cat([x, (x + filled) / 2, filled])
    found = gradients_of_pass(network, response, points)
    with torch.no_grad():
        whole, _, nothing = found.logits.float().chunk(POINTS)
        maps = torch.stack([*layer_maps(found, points.shape).values()], dim=1)[: len(x)]
        chosen = condition_indices(maps.shape[1], LEVELS)
        cams = accumulate_maps(maps)[:, chosen]
        return Signals(_contributions(found, points, chosen), cams.float(), whole, nothing)


def _contributions(found: Backward, points: Tensor, chosen: list[int]) -> Tensor:
    size = (points.shape[-2], points.shape[-1])
    deepest_first = list(reversed(found.layers.values()))
    planes = [_of_layer(*deepest_first[number], size) for number in chosen]
    x, _, filled = points.chunk(POINTS)
    for gradient in found.by_input.chunk(POINTS)[:SIDES]:
        product = (x - filled) * gradient
        planes.append((product.sum(dim=1) if product.ndim == 4 else product)[:, None])
    return torch.cat(planes, dim=1).float()


def _of_layer(tap: Tap, gradient: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Return contributions (B, 2, H, W) of a layer, whose sums over the places stay the same."""
    whole, _, nothing = tap.value.chunk(POINTS)
    gradient = torch.zeros_like(tap.value) if gradient is None else gradient
    gradients = gradient.chunk(POINTS)[:SIDES]
    sides = [((whole - nothing) * each).sum(dim=1).float() for each in gradients]
    areas = torch.stack(sides, dim=1)
    areas = upright(areas, tap.layer, areas.ndim - 2) if tap.layer else areas
    share = areas.shape[-2] * areas.shape[-1] / (size[0] * size[1])
    return enlarged(areas, *size) * share
