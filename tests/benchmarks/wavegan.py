"""How near waveforms of a GAN come to held-out ones, by a layer of a network that takes sound.

    python tests/benchmarks/wavegan.py runs/wave/gan.pt sample_data --model MODEL --input FILE.toml

Frechet distance of what the layer puts out for samples, for samples of the same networks before
any training, and for training excerpts, to what it puts out for held-out excerpts.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.ascent.engine import start_latents
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.load import load_split, open_corpus
from ganexplain.files.checkpoints import read_checkpoint
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.networks import generator_for
from ganexplain.inputs.waveform import WaveformInput
from ganexplain.metrics.distances import frechet_distance
from ganexplain.networks.hooks import last_hidden_layer, responses_and_features
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress

CPU = torch.device("cpu")
COUNT, CHUNK = 500, 25


def main() -> None:
    """Print a line a set of examples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gan", type=Path)
    parser.add_argument("corpus")
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--layer", default="")
    arguments = parser.parse_args()
    generator, drawn = load_generator(arguments.gan, CPU)
    assert isinstance(drawn, WaveformInput)
    explained = load_target(NetworkSource(model=arguments.model, input=arguments.input), drawn, CPU)
    layer = arguments.layer or last_hidden_layer(explained.network)
    corpus = open_corpus([arguments.corpus])
    sets = {}
    for name, split in (("held out", "valid+test"), ("training", "train")):
        found = load_split(corpus, split, drawn, cache_directory(""), NullProgress())
        centres = found.whole_excerpts()
        rows = np.random.default_rng(0).choice(len(centres), COUNT, replace=False)
        sets[name] = torch.from_numpy(found.gather(centres[rows]))
    torch.manual_seed(0)
    channels = int(read_checkpoint(arguments.gan, "gan", ("generator",))["channels"])
    untrained = generator_for(drawn, channels=channels).eval()
    untrained.deviation.copy_(generator.deviation)
    latents = torch.from_numpy(start_latents(0, COUNT, LATENT_SIZE))
    sets["samples, untrained"] = _drawn(untrained, latents)
    sets["samples"] = _drawn(generator, latents)
    heard = {name: _heard(explained.network, layer, x) for name, x in sets.items()}
    print(f"layer {layer}, {heard['held out'][1].shape[1]} values, {COUNT} examples of each")
    for name, (response, features) in heard.items():
        distance = frechet_distance(features, heard["held out"][1])
        print(f"{name}: distance {distance:.4g}, mean response {response.mean():.4f}")


@torch.no_grad()
def _drawn(generator: nn.Module, latents: Tensor) -> Tensor:
    return torch.cat([generator(part) for part in latents.split(CHUNK)])


@torch.no_grad()
def _heard(network: nn.Module, layer: str, waveforms: Tensor) -> tuple[np.ndarray, np.ndarray]:
    parts = [
        responses_and_features(network, Unit.parse("output:mean"), layer, part)
        for part in waveforms.split(CHUNK)
    ]
    response, features = (torch.cat(each).numpy() for each in zip(*parts, strict=True))
    return response, features


if __name__ == "__main__":
    main()
