"""Does the adaptive search lose by stopping where settings differ by chance?

    python tests/benchmarks/stopping.py runs/demo/responses/responses.npz --unit fc9:0:max

Against the search as it was before: all learning rates that can be paid for with half of the prior
weights each, then the neighbours of the best setting in steps of a half, a quarter and an eighth of
a decade, until the budget is spent. Both use the same trajectories, which are computed once, in
bfloat16; scores are computed in float32. Each chooses by the Frechet distance of the responses, and
by the composite that is the default of `select`; "fresh" are as many other starts.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.ascent.adaptive import SearchLimits, Setting, search_settings
from ganexplain.ascent.candidate import Found, SettingSearch, Target, Trial, Tried, gather
from ganexplain.ascent.engine import Ascent, Objective, ascend, start_latents
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.metrics.scores import Comparison, Examples, composite
from ganexplain.networks.hooks import last_hidden_layer, responses_and_features, unit_response
from ganexplain.networks.unit_syntax import parse_units
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import keep_freed_memory
from ganexplain.runs.precision import in_precision

PRETRAINED = Path(__file__).parents[2] / "sample_data" / "pretrained"
CPU, BATCH = torch.device("cpu"), 24
TryAll = Callable[[Sequence[Trial]], Sequence[Tried]]


class Replayed(Ascent):
    """An ascent that begins again from its first step, and computes no step twice."""

    def __init__(self, objective: Objective, starts: Starts, settings: AscentSettings) -> None:
        super().__init__(objective, starts, settings)
        self.steps: list[tuple[Tensor, Tensor]] = []
        self.at = 0

    def step(self) -> Tensor:
        """As that of `Ascent`."""
        if self.at == len(self.steps):
            self.steps.append((super().step(), self.evaluated))
        response, self.evaluated = self.steps[self.at]
        self.at += 1
        return response


class ReplayedSearch(SettingSearch):
    """Tries settings with trajectories that are kept from one search to the next."""

    def begin(self, trial: Trial) -> Ascent:
        """The trajectory of a setting from its first step."""
        kept: dict[Setting, Replayed] = self.__dict__.setdefault("kept", {})
        setting = trial.learning_rate, trial.prior_weight
        if setting not in kept:
            kept[setting] = Replayed(self.objective, Starts(self.start, *setting), self.settings)
        kept[setting].at = 0
        return kept[setting]


class Former:
    """The search as it was, which spends its budget; settings with finite responses are needed."""

    def __init__(self, limits: SearchLimits, try_all: TryAll) -> None:
        self.limits, self.try_all, self.left = limits, try_all, limits.budget
        self.tried: list[Tried] = []

    def run(self) -> Found:
        """What it finds."""
        rates = {rate for rate, _ in self.limits.pairs}
        weights = list(dict.fromkeys(weight for _, weight in self.limits.pairs))
        for rate in sorted(rates | {float(f"{max(rates) * 10**0.5:.3g}")}, reverse=True):
            self.round([(rate, weight) for weight in weights])
            ranked = dict.fromkeys(one.prior_weight for one in self.tried)
            weights = [w for w in ranked if w in weights][: math.ceil(len(weights) / 2)]
        for step in (1 / 2, 1 / 4, 1 / 8):
            best = None
            while best is not self.tried[0]:
                best = self.tried[0]
                self.round(list(self.neighbours(best, step)))
        return gather(self.tried, self.limits.budget - self.left)

    def neighbours(self, one: Tried, step: float) -> Iterator[Setting]:
        """Settings a step away in one of both, within half a decade of those given."""
        pair = one.learning_rate, one.prior_weight
        for axis, factor in itertools.product((0, 1), (10**step, 10**-step)):
            given = [each[axis] for each in self.limits.pairs]
            value = float(f"{pair[axis] * factor:.3g}")
            if min(given) / 3.23 <= value <= max(given) * 3.23:
                yield (value, pair[1]) if axis == 0 else (pair[0], value)

    def round(self, settings: Sequence[Setting]) -> None:
        """Try what is new and can be paid for, with half of what is left."""
        examples, known = (
            self.limits.examples,
            [(t.learning_rate, t.prior_weight) for t in self.tried],
        )
        way = min((one.learning_rate * one.iterations for one in self.tried), default=0.0)
        new = [s for s in settings if not any(np.allclose(s, k, rtol=0.02, atol=0) for k in known)]
        new = [s for s in new if 4 * examples * way / s[0] <= self.left]
        new = new[: self.left // (4 * examples)]
        if not new:
            return
        most = min(self.left // (2 * len(new) * examples) - 1, self.limits.iterations)
        bound = min((one.distance or 0.0 for one in self.tried), default=math.inf)
        found = self.try_all([Trial(*setting, most, bound) for setting in new])
        self.left -= sum(one.example_iterations for one in found)
        self.tried += [one for one in found if one.distance is not None]
        self.tried.sort(key=lambda one: one.distance or 0.0)


@dataclass(frozen=True)
class Bench:
    """A unit, what drives it, and the networks."""

    networks: SearchNetworks
    unit: Unit
    settings: AscentSettings
    real: Examples
    objective: Objective

    def examples(self, latent: np.ndarray, response: np.ndarray) -> Examples:
        """Examples of latents (N, Z), with what scores need, in float32."""
        network = self.networks.explained.network
        made = []
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            for part in torch.from_numpy(latent).split(BATCH):
                mel = self.networks.generator(part)
                layer = last_hidden_layer(network)
                made.append((mel, responses_and_features(network, self.unit, layer, mel)[1]))
        mel, features = (torch.cat(each).numpy() for each in zip(*made, strict=True))
        return Examples(mel, response, features, latent=latent)

    def words(self, found: Found, start: np.ndarray) -> Iterator[str]:
        """The choice by each rule, and what it does from fresh starts."""
        count = len(found.iterations)
        each = [self.examples(found.latent[k], found.response[k]) for k in range(count)]
        scores = [Comparison(examples, self.real).scores() for examples in each]
        names = ("fid_response", "nearest_real")
        blend = composite({name: np.array([one[name] for one in scores]) for name in names})
        for k in (0, int(blend.argmin())):
            values = float(found.learning_rate[k]), float(found.prior_weight[k])
            fresh = ascend(self.objective, Starts(start, *values), [int(found.iterations[k])],
                           self.settings)  # fmt: skip
            made = self.examples(fresh.latent[0], fresh.response[0])
            again = Comparison(made, self.real).scores()
            setting = f"({values[0]:g}, {values[1]:g}, {found.iterations[k]})"
            yield (
                f"{setting} | {scores[k]['fid_response']:.3f} | {found.response[k].mean():.2f} | "
                f"{scores[k]['nearest_real']:.3f} | {again['fid_response']:.3f} | "
                f"{made.response.mean():.2f} | {again['nearest_real']:.3f}"
            )


def main() -> None:
    """Print a row for each way to search and to choose."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("responses", type=Path)
    parser.add_argument("--unit", default="fc9:0:max", help="LAYER:UNIT:DIRECTION")
    parser.add_argument("--examples", type=int, default=24)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    keep_freed_memory()
    layer, neuron, direction = given.unit.split(":")
    config = ExplainConfig(
        classifier=str(PRETRAINED / "classifier.pt"), gan=str(PRETRAINED / "gan.pt"),
        layer=(layer,), neuron=neuron, device="cpu",
    )  # fmt: skip
    networks, settings = SearchNetworks.load(config), AscentSettings(direction)
    explained = networks.explained
    (unit,) = parse_units(explained.layers(config.layer), neuron, explained.network,
                          networks.example(), explained.names)  # fmt: skip
    with np.load(given.responses) as arrays:
        prefix = "" if direction == "max" else "bottom_"
        real = Examples(*(arrays[prefix + name] for name in ("mel", "response", "features")))
    pairs = list(itertools.product(config.learning_rate, config.prior_weight))
    budget = len(pairs) * given.examples * given.iterations // 10
    limits = SearchLimits(pairs, given.examples, given.iterations, budget)
    start = start_latents(given.seed, given.examples, LATENT_SIZE)
    fresh = start_latents(given.seed + 1000, given.examples, LATENT_SIZE)
    generator, network = networks.fast([layer])
    with in_precision("bfloat16", CPU), unit_response(network, unit) as respond:
        objective: Objective = lambda z: respond(generator(z))  # noqa: E731
        target = Target.of(real.response, direction)
        search = ReplayedSearch(objective, start, target, settings)

        def try_all(trials: Sequence[Trial]) -> list[Tried]:
            return [search(trial) for trial in trials]

        bench = Bench(networks, unit, settings, real, objective)
        for way, find in (
            ("now", lambda: search_settings(limits, target, try_all)),
            ("before", Former(limits, try_all).run),
        ):
            found = find()
            for rule, words in zip(("FID", "composite"), bench.words(found, fresh), strict=True):
                print(f"| {given.unit} | {given.seed} | {way} | {len(found.iterations)} | "
                      f"{found.example_iterations:,} | {rule} | {words} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
