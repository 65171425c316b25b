"""The two networks of a search, and their optimised forms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import start_latents
from ganexplain.ascent.guides import Guides, guide_features
from ganexplain.classifiers.checkpoint import Classifier
from ganexplain.config import ExplainConfig
from ganexplain.gans.checkpoint import load_searched
from ganexplain.gans.networks import latent_size
from ganexplain.inputs.base import Input
from ganexplain.inputs.specification import check_same_front_end
from ganexplain.networks.adapter import NetworkAdapter
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import find_layer
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import TargetNetwork, classifier_target, load_target
from ganexplain.runs.machine import pick_device

EXAMPLES_TO_CHECK = 4  # on which an optimised network is compared with the original one


@dataclass(frozen=True)
class SearchNetworks:
    """The network to explain and the generator of its inputs, on a device.

    `features` are those of the guides of a surrogate search.
    """

    explained: TargetNetwork
    generator: nn.Module
    device: torch.device
    features: Guides | None = None

    @classmethod
    def load(
        cls,
        config: ExplainConfig,
        classifier: Classifier | None = None,
        made: tuple[nn.Module, Input] | None = None,
    ) -> SearchNetworks:
        """Load both networks and the guides from the files in the settings.

        A `classifier` and a generator that are `made` already are in place of their files. Raises
        UsageError if the network does not accept the generator's output; other errors as
        `load_target`, `load_searched` and `guide_features`.
        """
        source, gan = NetworkSource.from_settings(config), Path(config.gan)
        device = pick_device(config.device)
        explained = classifier_target(classifier) if classifier else None
        if source.classifier and not classifier:
            explained = load_target(source, None, device)
        generator, front_end = made or load_searched(gan, device)
        explained = explained or load_target(source, front_end, device)
        check_same_front_end((Path(source.name), explained.front_end), (gan, front_end))
        generator = generator.to(device)
        features = guide_features(config.guide, front_end, generator, device)
        return cls(explained, generator, device, features)

    def example(self) -> Tensor:
        """An input (1, ...) of the network: the generator's output for the zero latent."""
        with torch.no_grad():
            zero = torch.zeros(1, latent_size(self.generator), device=self.device)
            example: Tensor = self.generator(zero)
        return example

    def starts(self, seed: int, examples: int) -> np.ndarray:
        """Latents (N, Z) from which as many searches begin, as `start_latents`."""
        return start_latents(seed, examples, latent_size(self.generator))

    def fast(self, layers: Collection[str]) -> tuple[nn.Module, nn.Module]:
        """Generator and network in their optimised forms, which keep `layers`."""
        return fast_networks(self.generator, self.explained.network, layers, self.device)


def fast_networks(
    generator: nn.Module, network: nn.Module, layers: Collection[str], device: torch.device
) -> tuple[nn.Module, nn.Module]:
    """Generator and network, on a CPU in optimised forms, which keep `layers`."""
    if device.type != "cpu":
        return generator, network
    latent = torch.from_numpy(start_latents(0, EXAMPLES_TO_CHECK, latent_size(generator)))
    with torch.no_grad():
        mel = generator(latent)
    kept = [find_layer(network, layer).name for layer in layers]
    kept = [f"explained.{n}" if isinstance(network, NetworkAdapter) else n for n in kept]
    return optimize_frozen(generator, latent), optimize_frozen(network, mel, keep=kept)
