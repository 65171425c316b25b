"""One block of an `explain` run: the searches of its rows, from checkpoints to arrays.

Row l * N + k is example k of the l-th (learning rate, prior weight) pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ganexplain.artifacts.explanations import ExplanationMeta
from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.plan import PART, Part, SearchTarget, part_path
from ganexplain.artifacts.responses import given_path
from ganexplain.ascent.beyond import search_response
from ganexplain.ascent.candidate import Found
from ganexplain.ascent.elites import ELITES
from ganexplain.ascent.engine import Objective, Trajectories, ascend
from ganexplain.ascent.match import MATCH, RealActivations, match_response
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.ascent.search_task import POPULATIONS, SearchTask, real_array
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.files.arrays import write_arrays
from ganexplain.networks.hooks import responses_and_features
from ganexplain.networks.units import Unit
from ganexplain.runs.precision import in_precision


class BlockSearch:
    """The searches of blocks, with networks that are given or loaded once in each process."""

    def __init__(self, task: SearchTask, out: Path, networks: SearchNetworks | None = None) -> None:
        self.task, self.config, self.out = task, task.config, out
        self.networks = networks or SearchNetworks.load(task.config)
        self.device = self.networks.device
        self.starts = self.networks.starts(self.config.seed, self.config.examples)
        layers = {target.unit.layer for target in task.metas}
        self.features_layer = next(iter(task.metas.values())).features_layer
        layers |= {task.fixed_outputs.layer} if task.fixed_outputs else set()
        layers |= {self.features_layer} if self.config.objective == MATCH else set()
        self.fast = self.networks.fast(layers)

    def __call__(self, part: Part, advance: Callable[[int], None]) -> None:
        """Search the R rows of a part for P iteration counts, and write its arrays (P, R, ...).

        Rows of the first pair of settings include their starts.
        """
        found = self._search(part, advance)
        advance(0)  # ends a task whose command has ended
        self.write_found(part, found)

    def write_found(self, part: Part, found: Trajectories) -> None:
        """Write the file of a part whose searches are done."""
        starts = self.starts[part.first : min(part.last, self.config.examples)]
        arrays = self.arrays_of(part.target.unit, found, starts)
        lost = {"no_gradient": found.no_gradient}
        self.write(part, arrays | lost, self.task.metas[part.target])

    def write(self, part: Part, arrays: Mapping[str, np.ndarray], meta: ExplanationMeta) -> None:
        """Write the file of a part."""
        write_arrays(part_path(self.out, part), PART, arrays, meta.to_json())

    def _search(self, part: Part, advance: Callable[[int], None]) -> Trajectories:
        config, target = self.config, part.target
        examples = np.arange(part.first, part.last) % config.examples
        batch = len(examples) if config.objective == MATCH else self.task.batch_size
        with self._objective_of(target, examples) as objective:
            return ascend(
                objective,
                self.starts_of(part),
                config.iterations,
                replace(self.settings(target), batch_size=batch),
                lambda units, response: advance(units),
            )

    def starts_of(self, part: Part) -> Starts:
        """The starts of the searches of a part."""
        rows = np.arange(part.first, part.last)
        examples = rows % self.config.examples
        settings = Grid.from_settings(self.config).of_rows(rows)
        return Starts(self.starts[examples], *settings, self.config.seed + examples)

    def settings(self, target: SearchTarget) -> AscentSettings:
        """The settings of the searches of a unit."""
        config = self.config
        return AscentSettings(
            target.direction,
            self.task.batch_size,
            self.device,
            config.prior,
            config.hysteresis,
            config.calls if config.search in POPULATIONS else 0,
            config.search == ELITES,
            self.networks.features,
        )

    @contextmanager
    def objective(self, unit: Unit) -> Iterator[Objective]:
        """A function from latents to the unit's responses, in the precision of the settings.

        With `--beyond` it returns the fixed outputs, too.
        """
        generator, network = self.fast
        with (
            in_precision(self.config.precision, self.device),
            search_response(network, unit, self.task.fixed_outputs) as respond,
        ):
            yield lambda latent: respond(generator(latent))

    @contextmanager
    def _objective_of(self, target: SearchTarget, examples: np.ndarray) -> Iterator[Objective]:
        """The objective of searches with numbers `examples` (R,), all of one batch for `match`."""
        if self.config.objective != MATCH:
            with self.objective(target.unit) as objective:
                yield objective
            return
        generator, network = self.fast
        real, sign = self._real(target), self.settings(target).sign
        with (
            in_precision(self.config.precision, self.device),
            match_response(network, real, examples, sign, self.task.fixed_outputs) as respond,
        ):
            yield lambda latent: respond(generator(latent))

    def _real(self, target: SearchTarget) -> RealActivations:
        """The activations that searches match: of the unit's layer and of that of the features."""
        path = given_path(Path(self.config.responses), target)
        inputs = real_array(path, self.task.metas[target], "mel")
        layers = dict.fromkeys((target.unit.layer, self.features_layer))
        return RealActivations.measure(self.networks.explained.network, layers, inputs)

    def arrays_of(
        self, unit: Unit, found: Trajectories | Found, starts: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Arrays of a search's results and of its starts (N, Z), with inputs and responses."""
        mel, response, features = self._generated(unit, found.latent)
        start_mel, start_response = mel[0, :0], response[0, :0]
        if len(starts):  # not all networks take an empty batch
            start_mel, start_response, _ = (v[0] for v in self._generated(unit, starts[None]))
        return self._fixed_outputs(unit, mel, start_mel) | {
            "latent": found.latent,
            "mel": mel,
            "response": response,
            "features": features,
            "best_iteration": found.best_iteration,
            "response_trace": found.response_trace,
            "latent_norm_trace": found.latent_norm_trace,
            "start_mel": start_mel,
            "start_response": start_response,
        }

    def _fixed_outputs(
        self, unit: Unit, mel: np.ndarray, start_mel: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Fixed outputs of examples (P, R, F, T) and starts (N, F, T); empty without any."""
        fixed_outputs, network = self.task.fixed_outputs, self.networks.explained.network
        if not fixed_outputs:
            return {}
        with torch.no_grad(), search_response(network, unit, fixed_outputs) as respond:

            def outputs(inputs: np.ndarray) -> np.ndarray:
                rows = torch.from_numpy(inputs.reshape(-1, *inputs.shape[2:])).to(self.device)
                found = [respond(part)[:, 1:] for part in rows.split(self.task.batch_size)]
                return torch.cat(found).cpu().numpy().reshape(*inputs.shape[:2], -1)

            fixed = outputs(mel)
            of_starts = outputs(start_mel[None])[0] if len(start_mel) else fixed[0, :0]
            return {"fixed_outputs": fixed, "start_fixed_outputs": of_starts}

    def _generated(
        self, unit: Unit, latent: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log-mel (P, R, F, T), responses (P, R) and features (P, R, D) of latents (P, R, Z)."""
        network, layer = self.networks.explained.network, self.features_layer
        rows = torch.from_numpy(latent.reshape(-1, latent.shape[-1])).to(self.device)
        generated = []
        with torch.no_grad():
            for part in rows.split(self.task.batch_size):
                mel = self.networks.generator(part)
                generated.append((mel, *responses_and_features(network, unit, layer, mel)))
        joined = [torch.cat(column).cpu().numpy() for column in zip(*generated, strict=True)]
        mel, response, features = (v.reshape(*latent.shape[:2], *v.shape[1:]) for v in joined)
        return mel, response, features
