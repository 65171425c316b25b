"""Does the adaptive search find a setting as good as the grid's best, for a tenth of the cost?

    OMP_NUM_THREADS=1 python tests/benchmarks/search.py runs/explain --responses runs/responses

Takes a finished run of `explain` over a grid and the real excerpts that `responses` found. Its
examples are divided into groups of `--size`, which share no start; the rows of a grid do not
touch each other, so a group is the grid run with those examples alone. For each unit and group
the adaptive search runs from the same starts in the same precision; both ways are judged by the
Frechet distance between the responses of their examples and the real ones. What the adaptive
search returns is searched once more by `ascend` with that setting alone. Both distances are on the
examples that the setting was chosen on; "fresh" is that of each way's setting from `--fresh` starts
behind the run's, the same for both. Cost is counted in example-iterations.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.artifacts.explanations import Explanations, read_explanations
from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.merging import explanation_files
from ganexplain.artifacts.responses import given_path, read_responses
from ganexplain.ascent.adaptive import SearchLimits, search_settings
from ganexplain.ascent.candidate import SettingSearch, Target
from ganexplain.ascent.engine import Objective, ascend, start_latents
from ganexplain.ascent.search_networks import fast_networks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.classifiers.checkpoint import load_classifier
from ganexplain.files.fields import Fields
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.metrics.distances import frechet_distance
from ganexplain.networks.hooks import unit_response
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.precision import in_precision

CPU = torch.device("cpu")
BATCH = 48


@contextmanager
def objective_of(explanations: Explanations) -> Iterator[Objective]:
    """The response to latents as `explain` ran it."""
    meta = explanations.meta
    classifier = load_classifier(Path(meta.classifier), CPU)
    generator, _ = load_generator(Path(meta.gan), CPU)
    fast = fast_networks(generator, classifier.network, [meta.unit.layer], CPU)
    with in_precision(meta.precision, CPU), unit_response(fast[1], meta.unit) as respond:
        yield lambda latent: respond(fast[0](latent))


def grid(made: dict[str, np.ndarray], group: slice, real: np.ndarray) -> dict[str, Any]:
    """Best setting of the grid for a group, its distance, and what the grid took."""
    response = made["response"][:, group]
    distances = [frechet_distance(row, real) for row in response]
    best = int(np.argmin(distances))
    trajectories = len(set(made["trajectory"].tolist()))
    return {
        "distance": distances[best],
        "setting": [
            made[n][best].item() for n in ("learning_rate", "prior_weight", "iterations")
        ],
        "example_iterations": trajectories * response.shape[1] * int(made["iterations"].max()),
    }  # fmt: skip


def adaptive(explanations: Explanations, seed: int, size: int, real: np.ndarray) -> dict[str, Any]:
    """The same of the adaptive search, and the distance its setting has when run alone."""
    run = Grid.from_json(Fields(f"{explanations.path}: meta.", explanations.meta.settings))
    start = start_latents(seed, size, LATENT_SIZE)
    direction = explanations.meta.direction
    settings, target = AscentSettings(direction, BATCH), Target.of(real, direction)
    budget = len(run.pairs) * size * max(run.iterations) // 10
    limits = SearchLimits(run.pairs, size, max(run.iterations), budget)
    with objective_of(explanations) as objective:
        search = SettingSearch(objective, start, target, settings)
        found = search_settings(limits, target, lambda trials: [search(trial) for trial in trials])
        setting = [found.learning_rate[0], found.prior_weight[0], int(found.iterations[0])]
        alone = ascend(objective, Starts(start, setting[0], setting[1]), setting[2:], settings)
    return {
        "distance": frechet_distance(found.response[0], real),
        "alone": frechet_distance(alone.response[0], real),
        "setting": setting,
        "example_iterations": found.example_iterations,
    }


def fresh(explanations: Explanations, setting: list[float], count: int, real: np.ndarray) -> float:
    """The distance of a setting from starts that no setting was chosen on."""
    meta = explanations.meta
    start = start_latents(meta.seed + explanations.sizes["N"], count, LATENT_SIZE)
    settings = AscentSettings(meta.direction, BATCH)
    with objective_of(explanations) as objective:
        found = ascend(
            objective, Starts(start, setting[0], setting[1]), [int(setting[2])], settings
        )
    return frechet_distance(found.response[0], real)


def print_row(unit: str, seed: int, ways: tuple[dict[str, Any], dict[str, Any]]) -> None:
    both, ours = ways
    settings = ["({:g}, {:g}, {:g})".format(*way["setting"]) for way in ways]
    print(
        f"| {unit} | {seed} | {both['distance']:.3f} | {both['fresh']:.3f} | {settings[0]} | "
        f"{both['example_iterations']:,} | {ours['distance']:.3f} | {ours['alone']:.3f} | "
        f"{ours['fresh']:.3f} | {settings[1]} | {ours['example_iterations']:,} | "
        f"{ours['distance'] / both['distance']:.2f} | "
        f"{ours['example_iterations'] / both['example_iterations']:.3f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("explained", type=Path, help="run of explain over a grid")
    parser.add_argument("--responses", type=Path, required=True)
    parser.add_argument("--size", type=int, default=10, help="examples of a group")
    parser.add_argument("--fresh", type=int, default=40, help="starts behind the run's")
    arguments = parser.parse_args()
    keep_freed_memory()
    print("| unit | seed | grid: FID | fresh | setting | example-iterations | adaptive: FID | "
          "run alone | fresh | setting | example-iterations | FID ratio | cost ratio |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|---|---|")  # fmt: skip
    worse = worse_fresh = total = 0
    for path in explanation_files(arguments.explained):
        explanations = read_explanations(path)
        given = given_path(arguments.responses, explanations.meta.target)
        found = read_responses(given, path, explanations.meta.measured, explanations.sizes)
        real = found.arrays[explanations.prefix + "response"]
        unit = f"{explanations.meta.unit} {explanations.meta.direction}"
        for first in range(0, explanations.sizes["N"] - arguments.size + 1, arguments.size):
            group, seed = slice(first, first + arguments.size), explanations.meta.seed + first
            ways = (
                grid(explanations.arrays, group, real),
                adaptive(explanations, seed, arguments.size, real),
            )
            for way in ways:
                way["fresh"] = fresh(explanations, way["setting"], arguments.fresh, real)
            print_row(unit, seed, ways)
            worse, total = worse + (ways[1]["distance"] > ways[0]["distance"]), total + 1
            worse_fresh += ways[1]["fresh"] > ways[0]["fresh"]
    print(f"adaptive is worse in {worse} of {total}, from fresh starts in {worse_fresh}")


if __name__ == "__main__":
    main()
