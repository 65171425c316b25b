"""One part of an `explain` run: the searches of a block of rows, from checkpoints to arrays.

Row l * N + k is example k of the l-th (learning rate, prior weight) pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts.explanations import ExplanationMeta
from ganexplain.artifacts.plan import DIRECTIONS, PART, Part, Plan, SearchTarget, part_path
from ganexplain.ascent.candidate import Found
from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.files.arrays import write_arrays
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.networks.adapter import NetworkAdapter
from ganexplain.networks.fast.optimize import optimize_frozen
from ganexplain.networks.hooks import (
    last_hidden_layer,
    responses_and_features,
    unit_response,
)
from ganexplain.networks.target import NetworkSource, TargetNetwork, load_target
from ganexplain.networks.unit_syntax import parse_units
from ganexplain.networks.units import Unit
from ganexplain.runs.machine import pick_device
from ganexplain.runs.precision import in_precision

EXAMPLES_TO_CHECK = 4  # on which a rewritten network is held against the plain one


def trajectory_settings(config: ExplainConfig) -> list[tuple[float, float]]:
    """The L distinct (learning rate, prior weight) pairs, in the order of the grid."""
    return list(itertools.product(config.learning_rate, config.prior_weight))


def features_layer(config: ExplainConfig, explained: TargetNetwork) -> str:
    """The layer whose output is recorded for selection; by default the last hidden one."""
    return config.features or last_hidden_layer(explained.network)


class PartWork:
    """Both networks, loaded once a process, and what is done with each part."""

    def __init__(
        self,
        config: ExplainConfig,
        batch_size: int,
        out: Path,
        metas: Mapping[SearchTarget, ExplanationMeta],
    ) -> None:
        self.config, self.batch_size, self.out, self.metas = config, batch_size, out, metas
        self.device = pick_device(config.device)
        self.generator, generated = load_generator(Path(config.gan), self.device)
        self.explained = load_target(NetworkSource.from_settings(config), generated, self.device)
        self.starts = start_latents(config.seed, config.examples, LATENT_SIZE)
        layers = {target.unit.layer for target in metas}
        self.fast = fast_networks(self.generator, self.explained.network, layers, self.device)

    def __call__(self, part: Part, advance: Callable[[int], None]) -> None:
        """Search the rows of a part and write its file: (P, R, ...) of P counts and R rows.

        Of rows of the first pair it has the starts.
        """
        found = self._search(part, advance)
        starts = self.starts[part.first : min(part.last, self.config.examples)]
        arrays = self.arrays_of(part.target.unit, found, starts) | {
            "no_gradient": found.no_gradient
        }
        self.write(part, arrays, self.metas[part.target])

    def write(self, part: Part, arrays: Mapping[str, np.ndarray], meta: ExplanationMeta) -> None:
        """Write the file of a part."""
        write_arrays(part_path(self.out, part), PART, arrays, meta.to_json())

    def _search(self, part: Part, advance: Callable[[int], None]) -> Trajectories:
        config, target = self.config, part.target
        rows = np.arange(part.first, part.last)
        examples = rows % config.examples
        pairs = np.array(trajectory_settings(config))[rows // config.examples]
        starts = Starts(self.starts[examples], pairs[:, 0], pairs[:, 1], config.seed + examples)
        with self.objective(target.unit) as objective:
            return ascend(
                objective,
                starts,
                config.iterations,
                self.settings(target),
                lambda units, response: advance(units),
            )

    def settings(self, target: SearchTarget) -> AscentSettings:
        """How the searches of a unit run."""
        config = self.config
        return AscentSettings(
            target.direction, self.batch_size, self.device, config.prior, config.hysteresis
        )

    @contextmanager
    def objective(self, unit: Unit) -> Iterator[Objective]:
        """While open, a function from latents to the unit's responses, as precise as asked."""
        generator, network = self.fast
        with (
            in_precision(self.config.precision, self.device),
            unit_response(network, unit) as respond,
        ):
            yield lambda latent: respond(generator(latent))

    def arrays_of(
        self, unit: Unit, found: Trajectories | Found, starts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Arrays of what a search found, and of starts (N, Z): latents, drawn and responded to."""
        mel, response, features = self._generated(unit, found.latent)
        start_mel, start_response, _ = self._generated(unit, starts[None])
        return {
            "latent": found.latent,
            "mel": mel,
            "response": response,
            "features": features,
            "best_iteration": found.best_iteration,
            "response_trace": found.response_trace,
            "latent_norm_trace": found.latent_norm_trace,
            "start_mel": start_mel[0],
            "start_response": start_response[0],
        }

    def _generated(
        self, unit: Unit, latent: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-mel (P, R, F, T), responses (P, R) and features (P, R, D) of latents (P, R, Z)."""
        network, layer = self.explained.network, features_layer(self.config, self.explained)
        rows = torch.from_numpy(latent.reshape(-1, latent.shape[-1])).to(self.device)
        generated = []
        with torch.no_grad():
            for part in rows.split(self.batch_size):
                mel = self.generator(part)
                generated.append((mel, *responses_and_features(network, unit, layer, mel)))
        joined = [torch.cat(column).cpu().numpy() for column in zip(*generated, strict=True)]
        mel, response, features = (v.reshape(*latent.shape[:2], *v.shape[1:]) for v in joined)
        return mel, response, features


def fast_networks(
    generator: nn.Module, network: nn.Module, layers: Collection[str], device: torch.device
) -> tuple[nn.Module, nn.Module]:
    """Both as the search runs them, on a CPU rewritten to be faster; `layers` stay themselves."""
    if device.type != "cpu":
        return generator, network
    latent = torch.from_numpy(start_latents(0, EXAMPLES_TO_CHECK, LATENT_SIZE))
    with torch.no_grad():
        mel = generator(latent)
    kept = [
        f"explained.{layer}" if isinstance(network, NetworkAdapter) else layer for layer in layers
    ]
    return optimize_frozen(generator, latent), optimize_frozen(network, mel, keep=kept)


def make_plan(
    config: ExplainConfig, explained: TargetNetwork, example: Tensor, rows: int, batch_size: int
) -> Plan:
    """The units asked for, `rows` of each in blocks of at most `batch_size`, as even as can be.

    `example` (1, F, T) is an input of the network. Raises UsageError for an unknown layer or unit.
    """
    layers, network, names = explained.layers(config.layer), explained.network, explained.names
    targets = tuple(
        SearchTarget(unit, direction)
        for unit in parse_units(layers, config.neuron, network, example, names)
        for direction in DIRECTIONS[config.direction]
    )
    blocks = -(-rows // batch_size)
    bounds = np.linspace(0, rows, blocks + 1).round().astype(int)
    return Plan(targets, tuple(bounds.tolist()))


def own_share(parts: Sequence[Part], shard: tuple[int, int] | None) -> list[Part]:
    """Of all parts those that shard i of n works on: every n-th."""
    return list(parts if shard is None else parts[shard[0] :: shard[1]])
