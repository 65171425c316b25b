"""How near does a search without gradients come to one with them, by calls of the network?

    python tests/benchmarks/evolution.py --examples 6 --iterations 15 --iterations 60
    python tests/benchmarks/evolution.py --examples 50 --guide sample_data/pretrained/judge.pt \
        --iterations 25 --iterations 50 --iterations 100

The shipped classifier and GAN: the mean response of the examples that are kept, by gradients and by
`--search evolution`, or with guides by `--search surrogate`. Shares are of the response that the
gradients reach, and of the gain, which is that above the starts. A start is a call, too: with a
guide 99 iterations are 100 calls.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.guides import guide_features
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.source import NetworkSource
from ganexplain.networks.target import load_target
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
PRETRAINED = Path(__file__).parents[2] / "sample_data" / "pretrained"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unit", default="fc9:0")
    parser.add_argument("--examples", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--guide", action="append", default=[])
    parser.add_argument("--prior-weight", type=float, default=0.01)
    parser.add_argument("--gradient-iterations", type=int, default=200)
    parser.add_argument("--iterations", type=int, action="append")
    parser.add_argument("--calls", type=int, action="append")
    return parser.parse_args()


def search(
    objective: Objective, options: argparse.Namespace, counts: list[int], settings: AscentSettings
) -> tuple[Trajectories, float]:
    """The result at iteration counts, and the seconds of this process."""
    numbers = np.arange(options.examples)
    latent = start_latents(0, options.examples, LATENT_SIZE)
    starts = Starts(latent, options.learning_rate, options.prior_weight, numbers)
    began = time.process_time()
    found = ascend(objective, starts, counts, settings)
    return found, time.process_time() - began


def blind_settings(options: argparse.Namespace, networks: SearchNetworks) -> list[AscentSettings]:
    """The settings of the searches that do without gradients of the network."""
    if options.guide:
        return [AscentSettings(features=networks.features)]
    return [AscentSettings(calls=calls) for calls in options.calls or [17]]


def main() -> None:
    options = parsed()
    asked = Unit.parse(options.unit)
    source = NetworkSource(classifier=str(PRETRAINED / "classifier.pt"))
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    explained = load_target(source, None, CPU)
    features = guide_features(options.guide, explained.front_end, generator, CPU)
    networks = SearchNetworks(explained, generator, CPU, features)
    fast, network = networks.fast([asked.layer])
    with unit_response(network, asked) as respond:

        def objective(latent: torch.Tensor) -> torch.Tensor:
            return respond(fast(latent))

        last = options.gradient_iterations
        found, seconds = search(objective, options, [last], AscentSettings())
        first, best = float(found.response_trace[:, 0].mean()), float(found.response.mean())
        norm = np.linalg.norm(found.latent, axis=2).mean()
        print(f"start {first:.2f}; gradients {best:.2f}, norm {norm:.1f}", end="")
        print(f", after {last} iterations in {seconds:.0f} s", flush=True)
        for settings in blind_settings(options, networks):
            counts, calls = sorted(options.iterations or [15, 60]), settings.calls or 1
            found, seconds = search(objective, options, counts, settings)
            for count, response, latent in zip(counts, found.response, found.latent, strict=True):
                made = calls * count + 1  # of z_0 to z_count
                reached, norm = response.mean(), np.linalg.norm(latent, axis=1).mean()
                gain = (reached - first) / (best - first)
                print(f"{count} iterations, {made:,} calls an example: {reached:.2f}, ", end="")
                print(f"{reached / best:.0%} of the response, {gain:.0%} of the gain, ", end="")
                print(f"norm {norm:.1f}", flush=True)
            print(f"in {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
