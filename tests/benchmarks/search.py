"""Does the adaptive search find a setting as good as the grid's best, for a tenth of the cost?

    OMP_NUM_THREADS=1 python tests/benchmarks/search.py sample_data --grid grid.jsonl

For each neuron, direction and seed: the grid of `explain` (all learning rates, prior weights and
iteration counts) and the adaptive search, both judged by the Frechet distance between the
responses of their examples and those of as many real excerpts. What the adaptive search returns
is searched once more by `ascend` with that setting alone. Cost is counted in example-iterations.
The grid of the paper takes an hour and more on a CPU: finished ones stand in the file `--grid`,
one JSON line each, and are not run again.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain.artifacts import file_hash
from ganexplain.ascent.adaptive import search_settings
from ganexplain.ascent.engine import ascend, start_latents
from ganexplain.ascent.frechet import frechet_distance
from ganexplain.ascent.neurons import neuron_response
from ganexplain.ascent.responses import excerpt_responses, strongest
from ganexplain.config import ExplainConfig
from ganexplain.data.cache import cache_directory
from ganexplain.data.corpus import read_corpora
from ganexplain.data.excerpts import load_split
from ganexplain.models.dcgan import LATENT_SIZE
from ganexplain.models.loading import load_classifier, load_generator
from ganexplain.runtime import Silent, keep_freed_memory, pick_device
from ganexplain.stages.explain_parts import fast_networks

PRETRAINED = Path("sample_data/pretrained")
HOP_FRAMES = 10
DEFAULTS = ExplainConfig(classifier="", gan="")
RATES, WEIGHTS = DEFAULTS.learning_rate, DEFAULTS.prior_weight


class Bench:
    """Networks, one device, and the two ways to search."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.examples, self.counts = arguments.examples, arguments.iterations
        self.device = pick_device(arguments.device)
        self.batch_size = arguments.batch_size
        self.classifier = load_classifier(arguments.classifier, self.device)
        self.generator, _ = load_generator(arguments.gan, self.device)
        layers = [unit.rsplit(":", 2)[0] for unit in arguments.unit]
        self.fast = fast_networks(self.generator, self.classifier.network, layers, self.device)
        self.identity = [file_hash(arguments.classifier)[:8], file_hash(arguments.gan)[:8]]
        corpus, front_end = read_corpora(arguments.corpus), self.classifier.front_end
        self.split = load_split(corpus, "train", front_end, cache_directory(""), Silent())

    def real(self, layer: str, neuron: int, direction: str) -> np.ndarray:
        """Responses (N,) of the real excerpts, as `select` finds them."""
        centres = self.split.whole_excerpts(HOP_FRAMES)
        with neuron_response(self.classifier.network, layer, neuron) as respond:
            response = excerpt_responses(self.split, centres, respond, self.device)
        apart = self.split.front_end.excerpt_frames
        return response[strongest(response, centres, self.examples, apart, direction)]

    def ascend(
        self, respond: Callable, pairs: np.ndarray, counts: tuple, direction: str, seed: int
    ) -> np.ndarray:
        """Responses (P, L, N) of L pairs (L, 2) at P iteration counts."""
        starts = start_latents(seed, self.examples, LATENT_SIZE)
        found = ascend(
            self.fast[0], respond, np.tile(starts, (len(pairs), 1)),
            np.repeat(pairs[:, 0], self.examples), np.repeat(pairs[:, 1], self.examples),
            counts, direction, self.batch_size, self.device,
        )  # fmt: skip
        return found.response.reshape(len(counts), len(pairs), self.examples)

    def grid(self, respond: Callable, real: np.ndarray, direction: str, seed: int) -> dict:
        """Best setting of the grid, its distance, and what the grid took."""
        pairs = np.array(list(itertools.product(RATES, WEIGHTS)))
        response = self.ascend(respond, pairs, self.counts, direction, seed)
        distances = np.array([[frechet_distance(r, real) for r in line] for line in response])
        p, pair = np.unravel_index(distances.argmin(), distances.shape)
        return {
            "distance": float(distances[p, pair]),
            "setting": [*pairs[pair].tolist(), self.counts[p]],
            "example_iterations": len(pairs) * self.examples * max(self.counts),
        }

    def adaptive(self, respond: Callable, real: np.ndarray, direction: str, seed: int) -> dict:
        """The same of the adaptive search, and the distance its setting has when run alone."""
        found = search_settings(
            self.fast[0], respond, start_latents(seed, self.examples, LATENT_SIZE),
            RATES, WEIGHTS, max(self.counts), real, direction, self.batch_size, self.device,
        )  # fmt: skip
        rate, weight = float(found.learning_rate[0]), float(found.prior_weight[0])
        count = int(found.iterations[0])
        again = self.ascend(respond, np.array([[rate, weight]]), (count,), direction, seed)
        return {
            "distance": frechet_distance(found.response[0], real),
            "alone": frechet_distance(again[0, 0], real),
            "setting": [rate, weight, count],
            "example_iterations": found.example_iterations,
        }


def print_table(rows: list[dict[str, Any]]) -> None:
    print(
        "| unit | seed | grid: FID | setting | example-iterations | adaptive: FID | run alone | "
        "setting | example-iterations | FID ratio | cost ratio |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        grid, ours = row["grid"], row["adaptive"]
        settings = ["({:g}, {:g}, {:g})".format(*way["setting"]) for way in (grid, ours)]
        print(
            f"| {row['unit']} | {row['seed']} | {grid['distance']:.3f} | {settings[0]} | "
            f"{grid['example_iterations']:,} | {ours['distance']:.3f} | {ours['alone']:.3f} | "
            f"{settings[1]} | {ours['example_iterations']:,} | "
            f"{ours['distance'] / grid['distance']:.2f} | "
            f"{ours['example_iterations'] / grid['example_iterations']:.3f} |"
        )
    worse = sum(row["adaptive"]["distance"] > row["grid"]["distance"] for row in rows)
    print(f"adaptive is worse in {worse} of {len(rows)}")


def grid_of(path: Path, key: dict[str, Any], run: Callable[[], dict]) -> dict:
    """The grid's result from the file, or run now and added to it."""
    lines = path.read_text().splitlines() if path.is_file() else []
    for line in map(json.loads, lines):
        if line["key"] == key:
            return line["grid"]
    grid = run()
    with path.open("a") as stream:
        stream.write(json.dumps({"key": key, "grid": grid}) + "\n")
    return grid


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus", nargs="+")
    parser.add_argument("--classifier", type=Path, default=PRETRAINED / "classifier.pt")
    parser.add_argument("--gan", type=Path, default=PRETRAINED / "gan.pt")
    parser.add_argument("--unit", nargs="+", default=["fc9:0:max", "fc9:0:min"])
    parser.add_argument("--examples", type=int, default=DEFAULTS.examples)
    parser.add_argument("--iterations", type=int, nargs="+", default=list(DEFAULTS.iterations))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=48)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--grid", type=Path, required=True, help="file of finished grids")
    arguments = parser.parse_args()
    keep_freed_memory()
    arguments.iterations = tuple(sorted(arguments.iterations))
    bench = Bench(arguments)
    rows = []
    for unit in arguments.unit:
        layer, neuron, direction = unit.rsplit(":", 2)
        real = bench.real(layer, int(neuron), direction)
        print(f"{unit}: real responses {real.mean():.2f} +- {real.std(ddof=1):.2f}", flush=True)
        with neuron_response(bench.fast[1], layer, int(neuron)) as respond:
            for number in range(arguments.seeds):
                seed = number * arguments.examples  # no start is shared by two of them
                work = (respond, real, direction, seed)
                adaptive = bench.adaptive(*work)
                print(f"{unit}, seed {seed}: adaptive {adaptive}", flush=True)
                key = {
                    "unit": unit, "seed": seed, "examples": bench.examples,
                    "iterations": list(bench.counts), "networks": bench.identity,
                    "corpus": arguments.corpus,
                }  # fmt: skip
                grid = grid_of(arguments.grid, key, lambda work=work: bench.grid(*work))
                print(f"{unit}, seed {seed}: grid {grid}", flush=True)
                rows.append({"unit": unit, "seed": seed, "grid": grid, "adaptive": adaptive})
    print_table(rows)


if __name__ == "__main__":
    main()
