"""Encoders: functions from excerpts to vectors, by which excerpts and examples are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ganexplain.audio.descriptors import descriptors
from ganexplain.audio.display import display_inputs
from ganexplain.errors import UsageError
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.hooks import last_hidden_layer, layer_response
from ganexplain.networks.source import NetworkSource, named_source
from ganexplain.networks.target import load_target
from ganexplain.selection.judges import network_names

BATCH = 64
DESCRIPTORS = "descriptors"  # the encoder without a network


@dataclass(frozen=True)
class Encoder:
    """A function from N excerpts (N, ...) to vectors (N, D), with a unique name.

    `source` and `layer` are those of a network, whose last hidden layer encodes.
    """

    name: str
    encode: Callable[[np.ndarray], np.ndarray]
    source: NetworkSource | None = None
    layer: str = ""


def load_encoders(
    texts: Sequence[str], explained: tuple[Path, Input], device: torch.device
) -> list[Encoder]:
    """Load the encoders of `--encoder`: `descriptors`, a `classifier.pt` or MODEL@INPUT.toml.

    `explained` is the path of the explanations and the kind of their examples. Raises UsageError
    for none, for a network of other inputs and one without a hidden layer.
    """
    if not texts:
        raise UsageError("--encoder: name one, such as descriptors")
    networks = [text for text in dict.fromkeys(texts) if text != DESCRIPTORS]
    encoders = [_network_encoder(text, name, explained, device)
                for text, name in zip(networks, network_names(networks), strict=True)]  # fmt: skip
    if DESCRIPTORS in texts:
        kind = explained[1]
        own = Encoder(DESCRIPTORS, lambda mel: descriptors(display_inputs(kind, mel)))
        encoders.insert(0, own)
    return encoders


def _network_encoder(
    text: str, name: str, explained: tuple[Path, Input], device: torch.device
) -> Encoder:
    source, (path, kind) = named_source(text), explained
    try:
        found = load_target(source, kind, device)
        if source.classifier:
            check_same_front_end((Path(text), found.front_end), (path, kind))
        layer = last_hidden_layer(found.network)
    except UsageError as error:  # it names the options of the explained network
        raise UsageError(f"--encoder {text}: {error}") from error
    return Encoder(name, lambda mel: _outputs(found.network, layer, mel, device), source, layer)


@torch.no_grad()
def _outputs(network: nn.Module, layer: str, mel: np.ndarray, device: torch.device) -> np.ndarray:
    """Outputs (N, D) of a layer for excerpts (N, ...)."""
    with layer_response(network, layer) as respond:
        parts = torch.from_numpy(np.ascontiguousarray(mel)).split(BATCH)
        return torch.cat([respond(part.to(device)).cpu() for part in parts]).numpy()
