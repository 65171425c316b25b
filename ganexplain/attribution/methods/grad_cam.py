"""Grad-CAM (Selvaraju et al. 2017) for any convolutional layer of any network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganexplain.attribution.methods.base import Attribution, Method, Question, require_network
from ganexplain.attribution.methods.map_axes import on_input_axes
from ganexplain.attribution.scorer import Scorer
from ganexplain.errors import UsageError
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.axes.named_axes import BLOCKS
from ganexplain.networks.axes.unit_axes import PLACES
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.gradient_faults import find_gradient_fault, gradient_errors_named
from ganexplain.networks.hooks import find_layer, record_outputs, tap_outputs
from ganexplain.networks.layer_outputs import LayerOutput
from ganexplain.networks.taps import Tap, gradients_at

ROWS = ("bands", "rows")  # what the axes of an input count
COLUMNS = ("frames", "columns", "steps")


def convolutions(network: nn.Module, axes: Sequence[int] = (2,)) -> list[str]:
    """Return the names of the layers that convolve over so many axes, in the network's order."""
    return [name for name, layer in named_layers(network).items() if layer.kernel_axes in axes]


@torch.no_grad()
def find_layer_of_map(
    network: nn.Module,
    run: Callable[[Tensor], object],
    x: Tensor,
    layer: str = "",
    option: str = "--cam-layer",
) -> tuple[str, LayerOutput]:
    """Return a layer and its name, by default the last convolution over more than one place.

    `run` is a pass of inputs x (1, ...) through the network. Raises UsageError if the layer is
    unknown or has at most one place, with the names of those that have more.
    """
    known = {name: find_layer(network, name) for name in convolutions(network, (1, 2))}
    chosen = {layer: find_layer(network, layer, option)} if layer else {}
    with record_outputs(network, known | chosen) as outputs:
        run(x)
    layers = known | chosen
    count = {name: places(output, layers[name]) for name, output in outputs.items()}
    wide = [name for name in known if count.get(name, 0) > 1]
    if not (layer or wide):
        if black_box := find_black_box(network):
            raise UsageError(
                f"--method: {black_box.name} is a black box, without layers and gradients; choose "
                "occlusion, lime, elime or lime-forest"
            )
        raise UsageError(f"{option}: the network has no convolution; name a layer with places")
    name = layer or wide[-1]
    if count.get(name, 0) < 2:
        advice = f"name one of {', '.join(wide)}" if wide else "name a convolution"
        found = "one place" if count.get(name) else "no places of a map"
        raise UsageError(f"{option} {name}: its output has {found}; {advice}")
    return name, layers[name]


def places(activation: Tensor, layer: LayerOutput) -> int:
    """Return the number of places of a layer's output (B, C, h, w) or (B, C, w).

    It is 0 for other outputs, and where the places of rows and columns are on one axis, as those of
    patches, or one of the input's axes is on two.
    """
    names = [name for name in layer.place_names if name != PLACES]
    parted = any("/" in name or name.startswith(BLOCKS) for name in names)
    mixed = parted or len(set(names)) < len(names)
    if activation.ndim not in (3, 4) or mixed:
        return 0
    return prod(activation.shape[2:])


def upright(area: Tensor, layer: LayerOutput, axes: int) -> Tensor:
    """Return a map over the places of a layer with the rows and columns of the input (..., h, w).

    The last `axes` axes of `area`, one or two, are those of the places. One axis is a column if it
    counts rows of the input, such as bands, otherwise a row.
    """
    names = layer.place_names
    if axes == 1:
        return area[..., None] if names and names[0] in ROWS else area[..., None, :]
    return area.mT if is_turned(layer) else area


def is_turned(layer: LayerOutput) -> bool:
    """Return whether the rows of a layer's map are columns of the input, and its columns rows."""
    names = layer.place_names
    return len(names) == 2 and names[0] in COLUMNS and names[1] in ROWS


def grad_cam(
    network: nn.Module, scorer: Scorer, x: Tensor, layer: str = "", option: str = "--cam-layer"
) -> Tensor:
    """Return the map (h, w) of input x (*S) at the resolution of a layer's output (B, C, h, w).

    The map is relu(sum over C of the activations, each times the mean over places of the gradient
    of the target's logit), as `upright`. One pass and one gradient.

    Args:
        network: the network that `scorer.model` runs.
        scorer: the score, whose logit is differentiated.
        x: the input.
        layer: name of the layer, by default the last convolution.
        option: the option that names the layer in messages.

    Raises:
        UsageError: the layer is unknown, has no places, or no gradient reaches it.
    """
    name, found = find_layer_of_map(network, scorer.differentiable, x[None], layer, option)
    with torch.enable_grad(), gradient_errors_named(network, scorer.differentiable) as logit_of:
        at_layer = _at_layer(network, logit_of, x[None], found)
        if at_layer is None:
            cause = find_gradient_fault(network, logit_of, x[None])
            cause = cause or "the target does not depend on it"
            raise UsageError(f"{option} {name}: no gradient of the target reaches it: {cause}")
    activation, gradient = at_layer
    scorer.passes += 1
    weights = gradient.flatten(2).mean(dim=2)[0]
    area = functional.relu(torch.tensordot(weights, activation[0], dims=1))
    return upright(area, found, area.ndim)


def _at_layer(
    network: nn.Module, logit_of: Callable[[Tensor], Tensor], x: Tensor, layer: LayerOutput
) -> tuple[Tensor, Tensor] | None:
    """Return a layer's output for x and the gradient of the logit by it, both (1, C, ...).

    Without a gradient the result is None.
    """
    logits: list[Tensor] = []
    for apart in (False, True):
        with tap_outputs(network, {"layer": layer}, apart) as taps:
            logits.append(logit_of(x.detach().requires_grad_(True)))
        gradient = _gradient(logits[-1], taps.get("layer"))
        if gradient is not None and torch.equal(logits[0], logits[-1]):
            return taps["layer"].value, gradient
    return None


def _gradient(logit: Tensor, tap: Tap | None) -> Tensor | None:
    if tap is None or not tap.edges or not logit.requires_grad:
        return None
    return gradients_at(logit.sum(), [tap])[0]


def over_input(
    area: Tensor,
    network: nn.Module,
    run: Callable[[Tensor], object],
    named: tuple[str, LayerOutput],
    x: Tensor,
) -> Tensor:
    """Return an upright map (h, w) of a layer as one of input x (..., H, W), at its resolution.

    `run` is a pass of inputs x (1, ...) through the network.
    """
    name, layer = named

    def activation_of(inputs: Tensor) -> Tensor:
        with record_outputs(network, {name: layer}) as outputs:
            run(inputs)
        return upright(outputs[name], layer, outputs[name].ndim - 2)

    return enlarged(on_input_axes(area, activation_of, x), *x.shape[-2:])


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
        """Return the map, resized to the input.

        A few more passes, which are not counted, find which axes of the input it follows.
        """
        network, x = require_network(question, "grad-cam"), question.x
        run = question.scorer.differentiable
        area = grad_cam(network, question.scorer, x, self.cam_layer)
        named = find_layer_of_map(network, run, x[None], self.cam_layer)
        return Attribution.from_map(question, over_input(area, network, run, named, x))

    def check(self, network: nn.Module, example: Tensor) -> None:
        """Raise UsageError for a layer that is unknown or has no places."""
        find_layer_of_map(network, network, example, self.cam_layer)


METHOD = GradCam
