"""`layers`: the layers of a network that other commands can name, and their shapes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ganexplain.artifacts.layers import Layer, NetworkLayers
from ganexplain.config import LayersConfig
from ganexplain.corpora.single import load_example
from ganexplain.errors import UsageError
from ganexplain.files.checkpoints import is_checkpoint
from ganexplain.gans.checkpoint import load_searched
from ganexplain.inputs.specification import input_values
from ganexplain.networks.adapter import OUTPUT, axes_of_layers, layer_type, named_layers
from ganexplain.networks.axes.unit_axes import plain_axes
from ganexplain.networks.hooks import record_outputs
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import example_inputs, load_target
from ganexplain.runs.machine import pick_device
from ganexplain.runs.progress import Progress


def layers(config: LayersConfig, progress: Progress, overwrite: bool = False) -> NetworkLayers:
    """The layers that a pass of one input reaches, in the order in which they end.

    Raises the errors of loading the network, and BadFile for an example that cannot be read.
    """
    device = pick_device(config.device)
    generator_output = load_searched(Path(config.gan), device)[1] if config.gan else None
    explained = load_target(_source(config), generator_output, device)
    network, input_spec = explained.network, explained.front_end
    if config.example:
        example = torch.from_numpy(load_example(input_spec, Path(config.example)))[None]
    else:
        example = example_inputs(input_spec)
        progress.note("shapes are for noise; --example FILE passes a recording or picture")
    shapes = _shapes(network, example.to(explained.device))
    known = named_layers(network)
    counted = [input_spec.axis_words.get(letter, "") for letter in input_spec.axes]
    axes = axes_of_layers(network, example_inputs(input_spec).to(explained.device), counted)
    rows = [
        Layer(
            layer=name,
            kind="output" if name == OUTPUT else layer_type(known[name].module),
            units=shape[0],
            places=shape[1:],
            weights=sum(w.numel() for w in known[name].module.parameters(recurse=False)),
            axes=str(axes.get(name) or plain_axes((1, *shape))),
        )
        for name, shape in shapes.items()
    ]
    names = explained.names
    return NetworkLayers(
        config.network, input_values(input_spec), names.output, tuple(names.classes), tuple(rows)
    )


def _source(config: LayersConfig) -> NetworkSource:
    path = Path(config.network)
    if is_checkpoint(path, "classifier"):
        if config.weights or config.input or config.trust_pickle or config.trust_features:
            raise UsageError(f"{path}: a classifier.pt; it contains its --weights and --input")
        return NetworkSource(classifier=config.network)
    return NetworkSource(
        "", config.network, config.weights, config.input, config.trust_pickle,
        config.trust_features, config.backend,
    )  # fmt: skip


def _shapes(network: nn.Module, example: Tensor) -> dict[str, tuple[int, ...]]:
    """Shapes (U, ...) of layers' outputs for an example (1, ...) that have a batch axis."""
    with record_outputs(network, named_layers(network)) as outputs, torch.no_grad():
        network(example)
    shapes = {
        name: tuple(output.shape) for name, output in outputs.items() if isinstance(output, Tensor)
    }
    return {
        name: shape[1:] or (1,)
        for name, shape in shapes.items()
        if shape and shape[0] == len(example)
    }
