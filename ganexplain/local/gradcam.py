"""Grad-CAM (Selvaraju et al. 2017) of any convolutional layer of any network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.ascent.neurons import find_layer, recording
from ganexplain.errors import UsageError
from ganexplain.local.scoring import Scorer
from ganexplain.models.foreign import kind_of, named_layers


def convolutions(network: nn.Module, kinds: Sequence[str] = ("Conv2d",)) -> list[str]:
    """Names of the convolutions, of two dimensions where not asked else, in the network's order."""
    return [name for name, layer in named_layers(network).items() if kind_of(layer) in kinds]


def layer_with_places(
    network: nn.Module, layer: str, option: str = "--cam-layer"
) -> tuple[str, nn.Module]:
    """A layer by its name, the last convolution where there is none; UsageError without one."""
    if not layer:
        known = convolutions(network, ("Conv1d", "Conv2d"))
        if not known:
            raise UsageError(f"{option}: the network has no convolution; name a layer with places")
        layer = known[-1]
    return layer, find_layer(network, layer, option)


def check_places(activation: object, layer: str, option: str) -> Tensor:
    """What a layer puts out, (B, C, h, w) or (B, C, w); UsageError for anything else."""
    if not isinstance(activation, Tensor) or activation.ndim not in (3, 4):
        raise UsageError(f"{option} {layer}: its output has no places; name a convolution")
    return activation


def grad_cam(
    network: nn.Module, scorer: Scorer, x: Tensor, layer: str = "", option: str = "--cam-layer"
) -> Tensor:
    """The map (h, w) of input x (*S) at the resolution of a layer that puts out (B, C, h, w).

    Of (B, C, w) it is one row.

    relu(sum over C of the activations, each times the mean over places of the gradient of the
    target's logit). The last convolution where no `layer` is named. `scorer.model` must run
    `network`. One pass and one gradient. Raises UsageError for a layer that is not there or has
    no places.
    """
    layer, module = layer_with_places(network, layer, option)
    with torch.enable_grad(), recording(network, {layer: module}) as outputs:
        logit = scorer.differentiable(x[None].detach().requires_grad_(True))
        activation = check_places(outputs.get(layer), layer, option)
        (gradient,) = torch.autograd.grad(logit.sum(), activation)
    scorer.passes += 1
    weights = gradient.flatten(2).mean(dim=2)[0]
    area = functional.relu(torch.tensordot(weights, activation[0], dims=1)).detach()
    return area if area.ndim == 2 else area[None]


def enlarged(area: Tensor, height: int, width: int) -> Tensor:
    """Maps (..., h, w) at the input's resolution (..., H, W), bilinear."""
    whole = functional.interpolate(
        area.reshape(1, -1, *area.shape[-2:]),
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )
    return whole.reshape(*area.shape[:-2], height, width)
