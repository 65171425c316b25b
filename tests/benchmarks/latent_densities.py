"""Whether a density of the latents of real excerpts is a better prior than N(0, I).

    ganexplain responses sample_data --classifier sample_data/pretrained/classifier.pt \\
        --out runs/responses
    OMP_NUM_THREADS=1 python tests/benchmarks/latent_densities.py sample_data CORPUS \\
        --responses runs/responses/responses.npz

The encoder of the shipped GAN finds the latents of training excerpts, to which a Gaussian, a
mixture of Gaussians and a rectified flow (Liu et al. 2023) are fitted. `held-out, encoded` are the
latents of test excerpts themselves: no density of encoded latents can be expected to do better.

First what the GAN makes of samples of each density, by networks that had no part in the GAN: the
kernel distance to test excerpts over that of training excerpts, precision, recall, and how far the
nearest training and test excerpts are. Then what a search finds that starts from samples of the
density and is penalised by -2 w log p(z), which for N(0, I) is the prior `l2`; the search of the
flow moves its base, with `l2`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.priors import Prior, unconstrained
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.corpora.cache import cache_directory
from ganexplain.corpora.interfaces import AnySplit
from ganexplain.corpora.load import read_corpora
from ganexplain.corpora.splits import load_log_mel_split
from ganexplain.files.arrays import read_arrays
from ganexplain.gans import validation
from ganexplain.gans.checkpoint import load_gan
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.gans.validation import Validation
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.metrics.distances import (
    coarse_cells,
    frechet_distance,
    gaussian_kernel,
    kernel_distances,
    nearest_distances,
)
from ganexplain.networks.hooks import unit_response
from ganexplain.networks.source import named_source
from ganexplain.networks.target import load_target
from ganexplain.networks.units import Unit
from ganexplain.runs.progress import NullProgress

PRETRAINED, NETWORKS = Path("sample_data/pretrained"), Path("sample_data/networks")
CPU = torch.device("cpu")
JUDGES = {
    "YAMNet": f"{NETWORKS}/yamnet.py:yamnet@{NETWORKS}/yamnet.toml",
    "referee": str(PRETRAINED / "referee.pt"),
    "detector": str(PRETRAINED / "detector.pt"),
}
ENCODED, COMPONENTS = 3000, 5
CHUNK = 50


@dataclass(frozen=True)
class Density:
    """A density of latents: samples of its base (N, Z), their way to latents, and its prior."""

    name: str
    base: np.ndarray
    to_latent: Callable[[Tensor], Tensor] = unconstrained
    prior: Prior | str = "l2"


# --- densities --------------------------------------------------------------------------------


def mixture(latents: np.ndarray, components: int, count: int) -> Density:
    """A mixture of Gaussians with full covariances, fitted by EM; one is a Gaussian."""
    fitted = GaussianMixture(components, reg_covar=0.01, max_iter=60, random_state=0).fit(latents)
    weights, means, covariances = (
        torch.from_numpy(v).float() for v in (fitted.weights_, fitted.means_, fitted.covariances_)
    )
    density = MixtureSameFamily(Categorical(weights), MultivariateNormal(means, covariances))

    def penalty(latent: Tensor, weight: Tensor) -> Tensor:
        return -2 * weight * density.log_prob(latent)

    def descent(latent: Tensor, uphill: Tensor, weight: Tensor) -> Tensor:
        z = latent.detach().requires_grad_(True)
        return torch.autograd.grad(penalty(z, weight).sum(), z)[0] - uphill

    torch.manual_seed(0)
    name = f"mixture of {components}" if components > 1 else "Gaussian"
    samples = density.sample((count,)).numpy()
    return Density(name, samples, prior=Prior(descent, unconstrained, penalty))


class Flow(nn.Module):
    """A rectified flow from N(0, I) to latents: velocities (B, Z) at times 0 to 1."""

    def __init__(self, latents: Tensor, width: int = 256, steps: int = 16) -> None:
        super().__init__()
        self.mean, self.deviation, self.steps = latents.mean(0), latents.std(0), steps
        sizes = (LATENT_SIZE + 1, width, width, width)
        hidden = [m for i, o in pairwise(sizes) for m in (nn.Linear(i, o), nn.SiLU())]
        self.velocity = nn.Sequential(*hidden, nn.Linear(width, LATENT_SIZE))

    def at(self, place: Tensor, time: Tensor) -> Tensor:
        """The velocities at places (B, Z) and times (B, 1)."""
        return self.velocity(torch.cat([place, time], 1))

    def train_on(self, latents: Tensor, updates: int, batch: int = 256) -> None:
        """Learn straight ways from noise to latents."""
        ends = (latents - self.mean) / self.deviation
        adam = torch.optim.Adam(self.parameters(), 1e-3)
        for update in range(updates):
            adam.param_groups[0]["lr"] = 1e-3 * (1 - update / updates)
            end = ends[torch.randint(len(ends), (batch,))]
            start, time = torch.randn_like(end), torch.rand(batch, 1)
            found = self.at(start + time * (end - start), time)
            adam.zero_grad()
            (found - (end - start)).square().mean().backward()
            adam.step()

    def forward(self, place: Tensor) -> Tensor:
        """Latents (B, Z) of samples (B, Z) of N(0, I), by the midpoint rule."""
        for step in range(self.steps):
            time = torch.full((len(place), 1), step / self.steps)
            middle = place + self.at(place, time) / (2 * self.steps)
            place = place + self.at(middle, time + 0.5 / self.steps) / self.steps
        return place * self.deviation + self.mean


def flow(latents: np.ndarray, count: int, updates: int) -> Density:
    torch.manual_seed(0)
    made = Flow(torch.from_numpy(latents))
    made.train_on(torch.from_numpy(latents), updates)
    return Density("flow", start_latents(0, count, LATENT_SIZE), made.requires_grad_(False))


# --- what they make ---------------------------------------------------------------------------


def in_chunks(respond: Callable[[Tensor], Tensor], values: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return torch.cat([respond(v) for v in torch.from_numpy(values).split(CHUNK)]).numpy()


def encoded(encoder: nn.Module, split: AnySplit, count: int) -> np.ndarray:
    centres = split.whole_excerpts()
    rows = np.random.default_rng(0).choice(len(centres), count, replace=False)
    parts = np.array_split(centres[np.sort(rows)], count // CHUNK)
    return np.concatenate([in_chunks(lambda x: encoder(x)[0], split.gather(p)) for p in parts])


def judged(name: str, mel: np.ndarray, judges: dict[str, Validation]) -> str:
    """A row of the table of samples (N, F, T)."""
    cells = [name]
    for judge in judges.values():
        kernel = judge.apart_from_held_out(judge.training)["kernel"]
        found = judge.apart_from_held_out(judge._statistics(mel).features)
        cells += [f"{found['kernel'] / kernel:.1f}"]
        cells += [f"{found[key]:.2f}" for key in ("precision", "recall")]
    nearest = next(iter(judges.values())).nearest(mel[: validation.NEIGHBOUR_SAMPLES])
    cells += [f"{nearest[key]:.3f}" for key in ("nearest_training", "nearest_held_out")]
    return f"| {' | '.join(cells)} |"


class Explained:
    """Searches for what drives "sing", compared with the real excerpts that drive it most."""

    def __init__(self, generator: nn.Module, path: Path, judges: dict[str, Validation]) -> None:
        self.real = read_arrays(path, "responses", ("mel", "response"))[0]
        self.judges, self.generator = judges, generator
        self.network = load_classifier(PRETRAINED / "classifier.pt", CPU).network
        self.fast = fast_networks(generator, self.network, ["fc9"], CPU)

    def rows(self, density: Density, weight: float, examples: int, iterations: list[int]) -> None:
        generator, network = self.fast
        starts = Starts(density.base[:examples], 0.1, weight, np.arange(examples))
        with unit_response(network, Unit.parse("fc9:0")) as respond:
            found = ascend(
                lambda z: respond(generator(density.to_latent(z))),
                starts,
                iterations,
                AscentSettings(prior=density.prior),
            )
        for count, latent, response in zip(iterations, found.latent, found.response, strict=True):
            mel = in_chunks(lambda z: self.generator(density.to_latent(z)), latent)
            cells = [density.name, f"{weight:g}", f"{count}", f"{response.mean():.2f}"]
            print(f"| {' | '.join(cells + self.distances(mel))} |", flush=True)

    def distances(self, mel: np.ndarray) -> list[str]:
        """Of the features of each judge, and of the excerpts themselves to the nearest real."""
        cells = []
        for judge in self.judges.values():
            found, real = (judge._statistics(x).features for x in (mel, self.real["mel"]))
            once, kernel = np.ones((1, len(found))), gaussian_kernel(real)
            cells.append(f"{frechet_distance(found, real):.3g}")
            cells.append(f"{kernel_distances(found, real, once, kernel)[0]:.3f}")
        near = nearest_distances(coarse_cells(mel), coarse_cells(self.real["mel"]))
        return [*cells, f"{np.median(near):.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--judge", choices=JUDGES, action="append")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--updates", type=int, default=4000, help="of the flow")
    parser.add_argument("--examples", type=int, default=24)
    parser.add_argument("--iterations", type=int, nargs="+", default=[10, 40])
    asked = parser.parse_args()
    validation.EXCERPTS = asked.samples
    corpus = read_corpora(asked.corpus)
    train, test = (
        load_log_mel_split(corpus, name, FrontEnd(), cache_directory(""), NullProgress())
        for name in ("train", "test")
    )
    generator, encoder, _ = load_gan(PRETRAINED / "gan.pt", CPU)
    named = {name: JUDGES[name] for name in asked.judge or JUDGES}
    judges = {
        name: Validation(
            0, train, test, CPU, load_target(named_source(text), FrontEnd(), CPU).network
        )
        for name, text in named.items()
    }
    latents, count = encoded(encoder, train, ENCODED), asked.samples
    densities = [
        Density("N(0, I)", start_latents(0, count, LATENT_SIZE)),
        mixture(latents, 1, count),
        mixture(latents, COMPONENTS, count),
        flow(latents, count, asked.updates),
    ]
    columns = "".join(f" {name}: kernel | precision | recall |" for name in judges)
    print(f"| |{columns} nearest training | held-out |\n|{'---|' * (3 + 3 * len(judges))}")
    some = next(iter(judges.values()))
    print(judged("training excerpts", some.excerpts(train, count), judges), flush=True)
    redrawn = generator, encoded(encoder, test, count)
    print(judged("held-out, encoded", in_chunks(*redrawn), judges), flush=True)
    for each in densities:
        drawn = in_chunks(each.to_latent, each.base)
        print(judged(each.name, in_chunks(generator, drawn), judges), flush=True)
    columns = "".join(f" {name}: FID | kernel |" for name in judges)
    print(f"\n| prior | weight | steps | response |{columns} nearest real |")
    print(f"|{'---|' * (5 + 2 * len(judges))}")
    explained = Explained(generator, asked.responses, judges)
    for each in densities:
        for weight in (0.1, 0.01):
            explained.rows(each, weight, asked.examples, asked.iterations)


if __name__ == "__main__":
    main()
