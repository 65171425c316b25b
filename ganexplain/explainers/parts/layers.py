"""Which layer is divided into parts, and which later layers are reconstructed from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.grad_cam import convolutions
from ganexplain.config import TrainExplainerConfig
from ganexplain.errors import UsageError
from ganexplain.networks.adapter import layer_type, named_layers
from ganexplain.networks.hooks import find_layer, record_outputs
from ganexplain.networks.tracing import subnetwork_after


@torch.no_grad()
def chosen_layers(
    config: TrainExplainerConfig, network: nn.Module, example: Tensor
) -> tuple[str, tuple[str, ...]]:
    """The layer of the settings and those to reconstruct; UsageError if it has no places."""
    layer = config.layer or default_layer(network, example)
    found = find_layer(network, layer)
    if not found.is_plain:
        raise UsageError(
            f"--layer {layer}: its units are not on the first axis behind the batch's; name a "
            "convolution"
        )
    with record_outputs(network, {layer: found}) as outputs:
        network(example)
    if outputs[layer].ndim != 4:
        raise UsageError(f"--layer {layer}: its output has no two dimensions of places")
    return layer, tuple(config.targets or default_targets(network, layer))


@torch.no_grad()
def default_layer(network: nn.Module, example: Tensor) -> str:
    """Return the last convolution with more than one place along both axes; UsageError if none."""
    known = {name: find_layer(network, name) for name in convolutions(network)}
    with record_outputs(network, known) as outputs:
        network(example)
    wide = [n for n, out in outputs.items() if out.ndim == 4 and min(out.shape[2:]) > 1]
    if not wide:
        raise UsageError(
            "--method parts: the network has no convolution over places, of which parts could be "
            "made"
        )
    return wide[-1]


def default_targets(network: nn.Module, layer: str) -> tuple[str, ...]:
    """Return the fully connected layers after a layer without the last, which returns the logits.

    If there is only the last one, it is returned; UsageError if there is none.
    """
    known = named_layers(network)
    linear = [
        name
        for name, found in known.items()
        if isinstance(found.module, nn.Linear) or layer_type(found.module) == "Linear"
    ]
    behind, refusal = [], None
    for name in linear:
        try:
            subnetwork_after(network, layer, (name,))
            behind.append(name)
        except UsageError as error:
            refusal = error
    if not behind:
        if refusal:
            raise refusal
        raise UsageError(
            f"--targets: no fully connected layer follows {layer}; name the layers to reconstruct"
        )
    return tuple(behind[:-1] or behind)
