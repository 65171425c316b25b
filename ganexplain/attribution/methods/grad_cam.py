"""Grad-CAM (Selvaraju et al. 2017) for any convolutional layer of any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.attribution.methods.base import Attribution, Method, Question, require_network
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.networks.adapter import layer_type, named_layers
from ganexplain.networks.gradient_faults import find_gradient_fault, gradient_errors_named
from ganexplain.networks.hooks import find_layer, record_outputs, tap_outputs
from ganexplain.networks.taps import Tap, gradients_at


def convolutions(network: nn.Module, kinds: Sequence[str] = ("Conv2d",)) -> list[str]:
    """Return the names of the layers of the given types, in the network's order."""
    return [name for name, layer in named_layers(network).items() if layer_type(layer) in kinds]


def layer_with_places(
    network: nn.Module, layer: str, option: str = "--cam-layer"
) -> tuple[str, nn.Module]:
    """Return a layer by its name, by default the last convolution; UsageError if there is none."""
    if not layer:
        known = convolutions(network, ("Conv1d", "Conv2d"))
        if not known:
            raise UsageError(f"{option}: the network has no convolution; name a layer with places")
        layer = known[-1]
    return layer, find_layer(network, layer, option)


@torch.no_grad()
def check_layer(
    network: nn.Module, layer: str, example: Tensor, option: str = "--cam-layer"
) -> None:
    """Raise UsageError for an unknown layer, or one whose output for `example` has no places."""
    name, module = layer_with_places(network, layer, option)
    with record_outputs(network, {name: module}) as outputs:
        network(example)
    check_places(outputs.get(name), name, option)


def check_places(activation: object, layer: str, option: str) -> Tensor:
    """Return the output of a layer, (B, C, h, w) or (B, C, w); UsageError for anything else."""
    if not isinstance(activation, Tensor) or activation.ndim not in (3, 4):
        raise UsageError(f"{option} {layer}: its output has no places; name a convolution")
    return activation


def grad_cam(
    network: nn.Module, scorer: Scorer, x: Tensor, layer: str = "", option: str = "--cam-layer"
) -> Tensor:
    """Return the map (h, w) of input x (*S) at the resolution of a layer's output (B, C, h, w).

    The map is relu(sum over C of the activations, each times the mean over places of the gradient
    of the target's logit); for outputs (B, C, w) it has one row. One pass and one gradient.

    Args:
        network: the network that `scorer.model` runs.
        scorer: the score, whose logit is differentiated.
        x: the input.
        layer: name of the layer, by default the last convolution.
        option: the option that names the layer in messages.

    Raises:
        UsageError: the layer is unknown, has no places, or no gradient reaches it.
    """
    layer, module = layer_with_places(network, layer, option)
    with torch.enable_grad(), gradient_errors_named(network, scorer.differentiable) as logit_of:
        activation, gradient = _at_layer(network, logit_of, x[None], layer, module, option)
    scorer.passes += 1
    weights = gradient.flatten(2).mean(dim=2)[0]
    area = functional.relu(torch.tensordot(weights, activation[0], dims=1))
    return area if area.ndim == 2 else area[None]


def _at_layer(
    network: nn.Module,
    logit_of: Callable[[Tensor], Tensor],
    x: Tensor,
    layer: str,
    module: nn.Module,
    option: str,
) -> tuple[Tensor, Tensor]:
    """Return a layer's output for x and the gradient of the logit by it, both (1, C, ...)."""
    logits: list[Tensor] = []
    for apart in (False, True):
        with tap_outputs(network, {layer: module}, apart) as taps:
            logits.append(logit_of(x.detach().requires_grad_(True)))
        tap = taps.get(layer)
        activation = check_places(tap.value if tap else None, layer, option)
        gradient = _gradient(logits[-1], tap)
        if gradient is not None and torch.equal(logits[0], logits[-1]):
            return activation, gradient
    cause = find_gradient_fault(network, logit_of, x) or "the target does not depend on it"
    raise UsageError(f"{option} {layer}: no gradient of the target reaches it: {cause}")


def _gradient(logit: Tensor, tap: Tap | None) -> Tensor | None:
    if tap is None or not tap.edges or not logit.requires_grad:
        return None
    return gradients_at(logit.sum(), [tap])[0]


def enlarged(area: Tensor, height: int, width: int) -> Tensor:
    """Resize maps (..., h, w) to the input's resolution (..., H, W), bilinearly."""
    whole = functional.interpolate(
        area.reshape(1, -1, *area.shape[-2:]),
        size=(height, width),
        mode="bilinear",
        align_corners=False,
    )
    return whole.reshape(*area.shape[:-2], height, width)


@dataclass(frozen=True)
class GradCam(Method):
    """The features of a convolution, weighed by the gradient of the score."""

    cam_layer: str

    def ask(self, question: Question, seed: int) -> Attribution:
        """Return the map, resized to the input."""
        network = require_network(question, "grad-cam")
        area = grad_cam(network, question.scorer, question.x, self.cam_layer)
        return Attribution.from_map(question, enlarged(area, *question.labels.shape))

    def check(self, network: nn.Module, example: Tensor) -> None:
        """Raise UsageError for a layer that is unknown or has no places."""
        check_layer(network, self.cam_layer, example)


METHOD = GradCam
