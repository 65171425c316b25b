"""What the priors of `explain` do at equal steps: how far, how typical, how close to real music.

    ganexplain responses sample_data --classifier sample_data/pretrained/classifier.pt \\
        --out runs/responses
    OMP_NUM_THREADS=1 python tests/benchmarks/priors.py runs/responses/responses.npz

The same examples, learning rates and steps for each prior; the Frechet distance of features (fc8)
to the real excerpts that drive the unit most, of the explained classifier, which was climbed, and
of the judge, which was not. "None" is l2 with weight zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.files.arrays import read_arrays
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.metrics.distances import frechet_distance
from ganexplain.networks.hooks import responses_and_features, unit_response
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import keep_freed_memory

PRETRAINED = Path("sample_data/pretrained")
CPU = torch.device("cpu")
WAYS = (
    ("none", "l2", 0.0),
    ("l2", "l2", 0.1),
    ("l2", "l2", 0.01),
    ("shell", "shell", 1.0),
    ("shell", "shell", 0.1),
    ("sphere", "sphere", 0.0),
    ("langevin", "langevin", 0.1),
)


class Judges:
    """Networks by whose features latents are compared with real excerpts."""

    def __init__(self, real: np.ndarray) -> None:
        self.generator, _ = load_generator(PRETRAINED / "gan.pt", CPU)
        names = ("classifier", "judge")
        self.networks = [load_classifier(PRETRAINED / f"{n}.pt", CPU).network for n in names]
        self.real = [self._seen(network, torch.from_numpy(real)) for network in self.networks]

    def __call__(self, latent: np.ndarray) -> Iterator[tuple[float, float]]:
        """Mean response and Frechet distance of features, by either network."""
        with torch.no_grad():
            mel = self.generator(torch.from_numpy(latent))
        for network, (_, real) in zip(self.networks, self.real, strict=True):
            response, features = self._seen(network, mel)
            yield float(response.mean()), frechet_distance(features, real)

    @staticmethod
    def _seen(network: torch.nn.Module, mel: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
        response, features = responses_and_features(network, Unit.parse("fc9:0"), "fc8", mel)
        return response.numpy(), features.numpy()


def row(name: str, weight: str, steps: object, latent: np.ndarray, judges: Judges) -> str:
    (response, distance), (judged, judge_distance) = judges(latent)
    norm = float(np.linalg.norm(latent, axis=1).mean())
    return (
        f"| {name} | {weight} | {steps} | {response:.2f} | {judged:.2f} | {norm:.1f} | "
        f"{distance:.1f} | {judge_distance:.2f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("responses", type=Path)
    parser.add_argument("--examples", type=int, default=24)
    parser.add_argument("--iterations", type=int, nargs="+", default=[10, 40, 150])
    parser.add_argument("--learning-rate", type=float, default=0.1)
    arguments = parser.parse_args()
    keep_freed_memory()
    real = read_arrays(arguments.responses, "responses", ("mel", "response"))[0]
    judges = Judges(real["mel"])
    generator, classifier = fast_networks(judges.generator, judges.networks[0], ["fc9"], CPU)
    count = arguments.examples
    starts = start_latents(0, count, LATENT_SIZE)
    print(
        "| prior | weight | steps | response | judge's response | norm of z | FID fc8 | judge's |"
    )
    print("|---|---|---|---|---|---|---|---|")
    (_, real_seen), (_, judged_seen) = ((s[0].mean(), s[0].mean()) for s in judges.real)
    print(f"| real excerpts | | | {real_seen:.2f} | {judged_seen:.2f} | | | |")
    print(row("start", "", 0, starts, judges), flush=True)
    with unit_response(classifier, Unit.parse("fc9:0")) as respond:
        for name, prior, weight in WAYS:
            found = ascend(
                lambda z: respond(generator(z)),
                Starts(starts, arguments.learning_rate, weight, np.arange(count)),
                arguments.iterations,
                AscentSettings(prior=prior),
            )
            shown = "" if name in ("none", "sphere") else f"{weight:g}"
            for steps, latent in zip(arguments.iterations, found.latent, strict=True):
                print(row(name, shown, steps, latent, judges), flush=True)


if __name__ == "__main__":
    main()
