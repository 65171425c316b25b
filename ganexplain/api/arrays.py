"""What needs no run directory: the layers of a network, and the responses of a unit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.api.arguments import Given, Network, PathName, input_settings, network_settings
from ganexplain.errors import UsageError
from ganexplain.gans.checkpoint import load_searched
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.hooks import layer_shape, unit_response
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, example_inputs, load_target
from ganexplain.networks.unit_syntax import parse_unit
from ganexplain.runs.machine import pick_device

CHUNK = 32


def layers(network: Network, gan: PathName = "", input: Given = None) -> dict[str, tuple[int, ...]]:
    """Return the layers that can be explained, with the shape of their outputs.

    Args:
        network: A torch module, a function from arrays (B, ...) to arrays, or the path of what
            --classifier or --model take.
        gan: Path of gan.pt, if it generates another kind of input than the network takes.
        input: Input of the network: a mapping with the keys of the TOML file, or the path of one.

    Shape:
        Of each layer (units, places...).

    Returns:
        Shapes by the names of layers, in the order in which they end.

    Raises:
        UsageError: The network, its input or the GAN cannot be used.

    Example:
        >>> layers("sample_data/pretrained/classifier.pt")["conv5"]
        (64, 21, 33)
    """
    explained = _explained(network, gan, input)
    examples = example_inputs(explained.front_end)
    found = {}
    for name in named_layers(explained.network):
        try:
            found[name] = layer_shape(explained.network, name, examples)
        except UsageError:  # not reached, or nothing that counts the inputs
            continue
    return found


def respond(
    network: Network,
    unit: str,
    inputs: np.ndarray | Tensor,
    gan: PathName = "",
    input: Given = None,
    device: str = "cpu",
) -> np.ndarray:
    """Return the responses of a unit to inputs.

    Args:
        network: As for `layers`.
        unit: LAYER:UNIT, a layer for its first unit, or a unit of the output (a class, say).
        inputs: Inputs as a GAN generates them.
        gan: As for `layers`.
        input: As for `layers`.
        device: Device: auto, cpu, cuda or cuda:N.

    Shape:
        `inputs` (N, ...).

    Returns:
        Responses (N,).

    Raises:
        UsageError: The network has no such layer or unit, or cannot be used.

    Example:
        >>> import numpy as np
        >>> silence = np.full((1, 80, 115), -16.0)
        >>> respond("sample_data/pretrained/classifier.pt", "sing", silence).shape
        (1,)
    """
    explained = _explained(network, gan, input, device)
    asked = parse_unit(
        unit, explained.network, example_inputs(explained.front_end).to(explained.device),
        explained.names, "unit",
    )  # fmt: skip
    values = inputs.detach().cpu() if isinstance(inputs, Tensor) else inputs
    rows = torch.from_numpy(np.asarray(values, dtype=np.float32)).to(explained.device)
    with torch.no_grad(), unit_response(explained.network, asked) as run:
        return np.concatenate([run(part).cpu().numpy() for part in rows.split(CHUNK)])


def _explained(network: Network, gan: PathName, given: Given, device: str = "cpu") -> TargetNetwork:
    source = NetworkSource(**network_settings(network), **input_settings(given))
    place = pick_device(device)
    input_spec = load_searched(Path(gan), place)[1] if os.fspath(gan) else None
    return load_target(source, input_spec, place)
