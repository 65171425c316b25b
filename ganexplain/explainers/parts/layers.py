"""Which layer's features become parts, and which are reconstructed, where none is named."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganexplain.attribution.methods.grad_cam import convolutions
from ganexplain.errors import UsageError
from ganexplain.networks.adapted import kind_of, named_layers
from ganexplain.networks.hooks import find_layer, recording
from ganexplain.networks.tracing import tail


@torch.no_grad()
def default_layer(network: nn.Module, example: Tensor) -> str:
    """The last convolution with more than one place along both axes.

    Raises UsageError where the network runs none.
    """
    known = {name: find_layer(network, name) for name in convolutions(network)}
    with recording(network, known) as outputs:
        network(example)
    wide = [n for n, out in outputs.items() if out.ndim == 4 and min(out.shape[2:]) > 1]
    if not wide:
        raise UsageError(
            "--method parts: the network has no convolution over places, of which parts could be "
            "made"
        )
    return wide[-1]


def default_targets(network: nn.Module, layer: str) -> tuple[str, ...]:
    """The fully connected layers behind a layer but the last, which puts out the logits.

    That one where there is no other. Raises UsageError where there is none at all.
    """
    known = named_layers(network)
    linear = [
        name
        for name, module in known.items()
        if isinstance(module, nn.Linear) or kind_of(module) == "Linear"
    ]
    behind, refusal = [], None
    for name in linear:
        try:
            tail(network, layer, (name,))
            behind.append(name)
        except UsageError as error:
            refusal = error
    if not behind:
        if refusal:
            raise refusal
        raise UsageError(
            f"--targets: no fully connected layer stands behind {layer}; name the layers to "
            "reconstruct"
        )
    return tuple(behind[:-1] or behind)
