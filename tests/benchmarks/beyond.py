"""How far do the outputs move in a search beyond them, how far the unit, and at what cost?

    OMP_NUM_THREADS=1 python tests/benchmarks/beyond.py --units 0 7 --examples 12 --iterations 50

In one process, for units of fc8 of the shipped classifier, from the same starts: the plain search,
the search that fixes the outputs (`explain --beyond output`) in both directions, and, in place of
the projection, penalties on the squared change of the output in deviations. Moves are means over
the examples, in nat and in standard deviations over samples of the GAN; `residual` is the unit less
its regression on the output. Time is that of the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.beyond import FixedOutputs, search_response
from ganexplain.ascent.engine import Objective, ascend, start_latents
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.metrics.regression import explained_share, residual
from ganexplain.networks.units import Unit

LAYER, SAMPLES, BATCH = "fc8", 192, 48
PENALTIES = (1.0, 10.0)


@dataclass(frozen=True)
class Bench:
    """The networks, one unit, and its starts (N, Z) with their responses and outputs (N, 1 + H)."""

    networks: SearchNetworks
    fixed_outputs: FixedOutputs
    unit: Unit
    starts: np.ndarray
    arguments: argparse.Namespace

    def values(self, latents: np.ndarray) -> np.ndarray:
        """Responses and fixed outputs (N, 1 + H) of latents (N, Z)."""
        network, generator = self.networks.explained.network, self.networks.generator
        with torch.no_grad(), search_response(network, self.unit, self.fixed_outputs) as respond:
            rows = torch.from_numpy(latents).split(BATCH)
            return torch.cat([respond(generator(z)) for z in rows]).double().numpy()

    def search(
        self, beyond: bool, direction: str, penalty: float, deviation: float
    ) -> tuple[np.ndarray, float]:
        """Latents (N, Z) found, and the processor's seconds."""
        generator, network = self.networks.fast({LAYER, self.fixed_outputs.layer})
        fixed_outputs = self.fixed_outputs if beyond or penalty else None
        with search_response(network, self.unit, fixed_outputs) as respond:
            objective: Objective = lambda z: respond(generator(z))  # noqa: E731
            if penalty:
                wanted = objective(torch.from_numpy(self.starts)).detach()[:, 1:]
                objective = penalised(objective, wanted, penalty, deviation)
            started = time.process_time()
            found = ascend(
                objective,
                Starts(self.starts, self.arguments.learning_rate, self.arguments.prior_weight),
                (self.arguments.iterations,),
                AscentSettings(direction, BATCH),
            )
        return found.latent[0], time.process_time() - started


def penalised(
    objective: Objective, wanted: Tensor, weight: float, deviation: float
) -> Callable[[Tensor], Tensor]:
    """The response in deviations less the weighted squared change of the fixed outputs."""

    def value(latent: Tensor) -> Tensor:
        found = objective(latent)
        return found[:, 0] / deviation - weight * (found[:, 1:] - wanted).square().sum(1)

    return value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="+", default=[0, 7])
    parser.add_argument("--examples", type=int, default=12)
    parser.add_argument("--iterations", type=int, default=50)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--prior-weight", type=float, default=0.001)
    arguments = parser.parse_args()
    folder = "sample_data/pretrained"
    config = ExplainConfig(classifier=f"{folder}/classifier.pt", gan=f"{folder}/gan.pt")
    networks = SearchNetworks.load(config)
    fixed_outputs = FixedOutputs.measure(networks)
    starts = start_latents(0, arguments.examples, LATENT_SIZE)
    for number in arguments.units:
        bench = Bench(networks, fixed_outputs, Unit.parse(f"{LAYER}:{number}"), starts, arguments)
        compare(bench)


def compare(bench: Bench) -> None:
    """Print a line for each kind of search of a unit."""
    samples = bench.values(start_latents(10_000, SAMPLES, LATENT_SIZE))
    response, outputs = samples[:, 0], samples[:, 1:]
    deviation, left = response.std(ddof=1), residual(response, outputs).std(ddof=1)
    share = float(explained_share(response, outputs))
    print(
        f"{bench.unit}: the output explains {share:.1%} of its variance over {SAMPLES} samples; "
        f"deviation {deviation:.2f}, of the residual {left:.2f}"
    )
    before = bench.values(bench.starts)
    kinds: list[tuple[str, bool, str, float]] = [
        ("plain max", False, "max", 0.0),
        ("beyond max", True, "max", 0.0),
        ("beyond min", True, "min", 0.0),
        *((f"penalty {weight:g} max", False, "max", weight) for weight in PENALTIES),
    ]
    plain = 0.0
    for name, beyond, direction, penalty in kinds:
        latents, seconds = bench.search(beyond, direction, penalty, deviation)
        plain = plain or seconds
        moved = bench.values(latents) - before
        unit, output = moved[:, 0].mean(), np.abs(moved[:, 1:])
        print(
            f"  {name:14}  unit {unit:+.2f} nat, {unit / deviation:+.2f} deviations, "
            f"{unit / left:+.1f} of the residual; output {output.mean():.4f} deviations, at most "
            f"{output.max():.4f}; |z| {np.linalg.norm(latents, axis=1).mean():.1f}; "
            f"{seconds:.1f} s, {seconds / plain:.2f} of plain",
            flush=True,
        )


if __name__ == "__main__":
    main()
