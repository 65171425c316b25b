"""How near does a search without gradients come to one with them, by calls of the network?

    python tests/benchmarks/evolution.py --examples 6 --iterations 15 --iterations 60

The shipped classifier and GAN: the mean response of the examples that are kept, by gradients and by
`--search evolution`, whose share is of what the gradients reach above the starts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.target import NetworkSource, load_target
from ganexplain.networks.units import Unit

CPU = torch.device("cpu")
PRETRAINED = Path(__file__).parents[2] / "sample_data" / "pretrained"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--unit", default="fc9:0")
    parser.add_argument("--examples", type=int, default=6)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--prior-weight", type=float, default=0.01)
    parser.add_argument("--gradient-iterations", type=int, default=200)
    parser.add_argument("--iterations", type=int, action="append")
    parser.add_argument("--calls", type=int, action="append")
    return parser.parse_args()


def search(
    objective: Objective, options: argparse.Namespace, iterations: list[int], calls: int
) -> tuple[Trajectories, float]:
    """The result at iteration counts, and the seconds of this process."""
    numbers = np.arange(options.examples)
    latent = start_latents(0, options.examples, LATENT_SIZE)
    starts = Starts(latent, options.learning_rate, options.prior_weight, numbers)
    began = time.process_time()
    found = ascend(objective, starts, iterations, AscentSettings(calls=calls))
    return found, time.process_time() - began


def main() -> None:
    options = parsed()
    asked = Unit.parse(options.unit)
    source = NetworkSource(classifier=str(PRETRAINED / "classifier.pt"))
    generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
    network = load_target(source, None, CPU).network
    fast, explained = fast_networks(generator, network, [asked.layer], CPU)
    with unit_response(explained, asked) as respond:

        def objective(latent: torch.Tensor) -> torch.Tensor:
            return respond(fast(latent))

        found, seconds = search(objective, options, [options.gradient_iterations], 0)
        first, best = float(found.response_trace[:, 0].mean()), float(found.response.mean())
        norm, count = np.linalg.norm(found.latent, axis=2).mean(), options.gradient_iterations
        print(f"start {first:.2f}; gradients {best:.2f}, norm {norm:.1f}", end="")
        print(f", after {count} iterations in {seconds:.0f} s", flush=True)
        for calls in options.calls or [17]:
            counts = sorted(options.iterations or [15, 60])
            found, seconds = search(objective, options, counts, calls)
            for count, response, latent in zip(counts, found.response, found.latent, strict=True):
                share = (response.mean() - first) / (best - first)
                norm = np.linalg.norm(latent, axis=1).mean()
                print(f"{calls} x {count} = {calls * count:,} calls an example: ", end="")
                print(f"{response.mean():.2f}, {100 * share:.0f} %, norm {norm:.1f}", flush=True)


if __name__ == "__main__":
    main()
