"""The same from Python: arrays in, arrays out.

    from ganexplain import explain, layers, rank, respond

A network is a torch module (which is copied), a function from arrays (B, ...) to arrays, or the
path of what --classifier or --model take. A GAN is the path of a gan.pt. `input` says what the
network takes where that is not what the GAN draws: a mapping, or the path of a TOML file.
"""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts.grid import Grid
from ganexplain.artifacts.lost_gradients import LostSearches, refuse_lost
from ganexplain.artifacts.plan import SearchTarget
from ganexplain.ascent.engine import Objective, Trajectories, ascend, start_latents
from ganexplain.ascent.gradients import check_units
from ganexplain.ascent.settings import AscentSettings, Starts
from ganexplain.config import ExplainConfig
from ganexplain.errors import UsageError, check_known
from ganexplain.files.checkpoints import is_checkpoint
from ganexplain.gans.checkpoint import load_generator
from ganexplain.gans.dcgan import LATENT_SIZE
from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd
from ganexplain.inputs.specification import Call, call_from, input_from, read_input_file
from ganexplain.metrics.distances import frechet_distance
from ganexplain.networks.adapter import named_layers
from ganexplain.networks.black_box import BlackBox, find_black_box
from ganexplain.networks.copies import copy_network
from ganexplain.networks.hooks import layer_shape, unit_response
from ganexplain.networks.loaders.formats import load_network
from ganexplain.networks.loaders.pretrained import completed_specification
from ganexplain.networks.target import (
    NetworkSource,
    TargetNetwork,
    adapt_network,
    example_inputs,
    load_target,
)
from ganexplain.networks.unit_syntax import parse_unit
from ganexplain.networks.units import Unit
from ganexplain.report.html.medium import input_pictures

Network = nn.Module | Callable[[np.ndarray], object] | str | Path
Given = Mapping[str, object] | str | Path | None
ProgressCallback = Callable[[int, int, float], None]  # done, of how many, the mean response
CPU = torch.device("cpu")
CHUNK = 32
DIRECTIONS = ("max", "min")
USUAL = ExplainConfig(gan="")  # its defaults


@dataclass(frozen=True)
class Explanation:
    """What drives a unit: C settings, N examples.

    `learning_rate`, `prior_weight`, `iterations` (C,); `latent` (C, N, Z); `inputs` (C, N, ...)
    as the GAN generates them, described by `input_spec`; `response` (C, N); `start_inputs`
    (N, ...) and `start_response` (N,) before the search; `searches_without_gradient` how many of
    the searches the response gave nothing to follow at any step. In a notebook it shows itself.
    """

    layer: str
    neuron: int | str
    direction: str
    input_spec: Input
    learning_rate: np.ndarray
    prior_weight: np.ndarray
    iterations: np.ndarray
    latent: np.ndarray
    inputs: np.ndarray
    response: np.ndarray
    start_inputs: np.ndarray
    start_response: np.ndarray
    searches_without_gradient: int = 0

    def sounds(self, setting: int = 0) -> np.ndarray:
        """Waveforms (N, samples) of one setting's excerpts; UsageError for pictures."""
        from ganexplain.audio.sonify import make_sounds

        return make_sounds(self.input_spec, self.inputs[setting])

    def _repr_html_(self) -> str:
        """The examples before the search and of the setting that went furthest, for a notebook."""
        sign = 1 if self.direction == "max" else -1
        best = int(np.argmax(sign * self.response.mean(axis=1)))
        rows = [
            ("before the search", self.start_inputs, self.start_response),
            (
                f"learning rate {self.learning_rate[best]:g}, prior weight "
                f"{self.prior_weight[best]:g}, {self.iterations[best]} iterations",
                self.inputs[best],
                self.response[best],
            ),
        ]
        shown = [
            f"<div>{html.escape(title)}</div><div>"
            + "".join(
                f'<img alt="response {value:.3g}" title="response {value:.3g}" src="{picture}">'
                for picture, value in zip(
                    input_pictures(inputs[:8], self.input_spec), values, strict=False
                )
            )
            + "</div>"
            for title, inputs, values in rows
        ]
        unit = html.escape(f"{self.layer}:{self.neuron}, {self.direction}")
        return f"<div><b>{unit}</b>{''.join(shown)}</div>"


def layers(
    network: Network, gan: str | Path = "", input: Given = None
) -> dict[str, tuple[int, ...]]:
    """Shape (units, places...) of what each layer puts out that can be addressed, by its name."""
    explained = _explained(network, gan, input)
    examples = example_inputs(explained.front_end)
    found = {}
    for name in named_layers(explained.network):
        try:
            found[name] = layer_shape(explained.network, name, examples)
        except UsageError:  # not reached, or nothing that counts the inputs
            continue
    return found


def respond(
    network: Network,
    unit: str,
    inputs: np.ndarray | Tensor,
    gan: str | Path = "",
    input: Given = None,
) -> np.ndarray:
    """Responses (N,) of a unit (`fc9:0`, `conv5:17@max`, ...) to inputs (N, ...) as a GAN draws.

    A layer alone is its first unit, anything else a unit of the output (a class's name, say).
    """
    explained = _explained(network, gan, input)
    asked = _unit(explained, unit)
    values = inputs.detach().cpu() if isinstance(inputs, Tensor) else inputs
    rows = torch.from_numpy(np.asarray(values, dtype=np.float32))
    with torch.no_grad(), unit_response(explained.network, asked) as run:
        return np.concatenate([run(part).numpy() for part in rows.split(CHUNK)])


def explain(
    network: Network,
    gan: str | Path,
    unit: str = "output",
    direction: str = "max",
    learning_rate: Sequence[float] = USUAL.learning_rate,
    prior_weight: Sequence[float] = USUAL.prior_weight,
    iterations: Sequence[int] = USUAL.iterations,
    examples: int = USUAL.examples,
    seed: int = 0,
    input: Given = None,
    progress: ProgressCallback = lambda done, total, response: None,
) -> Explanation:
    """Inputs that drive a unit, for all combinations of the settings; what `explain` computes.

    `progress(done, total, response)` gets example-iterations and the mean response. Warns of
    searches whose response has no gradient; those of a black box go without (`--search evolution`).
    Raises UsageError for an unknown unit or direction, or one without a gradient at any start,
    Diverged where a response is not finite.
    """
    check_known("direction", direction, DIRECTIONS)
    explained = _explained(network, gan, input)
    generator, input_spec = load_generator(Path(gan), CPU)
    target = SearchTarget(_unit(explained, unit), direction)
    starts = start_latents(seed, examples, LATENT_SIZE)
    black_box = find_black_box(explained.network)
    settings = AscentSettings(direction, CHUNK, calls=USUAL.calls if black_box else 0)
    if not black_box:
        for note in check_units([target], explained, generator, starts, CHUNK):
            warnings.warn(note, stacklevel=2)
    grid = Grid(learning_rate, prior_weight, iterations, examples, seed)
    with unit_response(explained.network, target.unit) as run:
        found = _search(lambda z: run(generator(z)), grid, starts, settings, progress)
    no_gradient = found.no_gradient.reshape(-1, examples)
    refuse_lost(target.name, no_gradient)
    lost = LostSearches.count(no_gradient)
    if words := lost.in_words(examples):
        warnings.warn(f"{target.name}: {words}", stacklevel=2)
    arrays, latent = grid.arrays(), grid.by_setting(found.latent)
    inputs = _generated(generator, latent.reshape(-1, LATENT_SIZE))
    return Explanation(
        layer=target.unit.layer,
        neuron=target.unit.neuron,
        direction=direction,
        input_spec=input_spec,
        learning_rate=arrays["learning_rate"],
        prior_weight=arrays["prior_weight"],
        iterations=arrays["iterations"],
        latent=latent,
        inputs=inputs.reshape(*latent.shape[:2], *input_spec.shape),
        response=grid.by_setting(found.response),
        start_inputs=_generated(generator, starts),
        start_response=found.response_trace[:examples, 0].copy(),
        searches_without_gradient=lost.searches_without_gradient,
    )


def _search(
    objective: Objective,
    grid: Grid,
    starts: np.ndarray,
    settings: AscentSettings,
    progress: ProgressCallback,
) -> Trajectories:
    """Search all rows of a grid, each pair of settings from the starts (N, Z)."""
    total, done = grid.rows * max(grid.iterations), 0

    def advance(units: int, response: float) -> None:
        nonlocal done
        done += units
        progress(done, total, response)

    rates, weights = grid.of_rows(np.arange(grid.rows))
    latent = np.tile(starts, (len(grid.pairs), 1))
    noise_seed = grid.seed + np.arange(grid.rows) % grid.examples
    starting = Starts(latent, rates, weights, noise_seed)
    return ascend(objective, starting, grid.iterations, settings, advance)


def rank(explanation: Explanation, real: np.ndarray) -> list[dict[str, float]]:
    """Settings by the Frechet distance of their responses to those of real inputs (R,), best first.

    `setting` is the row of the explanation's arrays.
    """
    scored = [
        {
            "setting": c,
            "learning_rate": float(explanation.learning_rate[c]),
            "prior_weight": float(explanation.prior_weight[c]),
            "iterations": int(explanation.iterations[c]),
            "fid_response": frechet_distance(explanation.response[c], real),
        }
        for c in range(len(explanation.response))
    ]
    return sorted(scored, key=lambda row: (row["fid_response"], row["setting"]))


def _generated(generator: nn.Module, latent: np.ndarray) -> np.ndarray:
    rows = torch.from_numpy(np.ascontiguousarray(latent, dtype=np.float32))
    with torch.no_grad():
        return np.concatenate([generator(part).numpy() for part in rows.split(CHUNK)])


def _unit(explained: TargetNetwork, unit: str) -> Unit:
    examples = example_inputs(explained.front_end)
    return parse_unit(unit, explained.network, examples, explained.names, "unit")


def _explained(network: Network, gan: str | Path, given: Given) -> TargetNetwork:
    input_spec = load_generator(Path(gan), CPU)[1] if gan else None
    network_input, call = _given(given)
    if isinstance(network, str | Path):
        path = Path(network)
        if is_checkpoint(path, "classifier"):
            return load_target(NetworkSource(classifier=str(path)), input_spec, CPU)
        network_input, call = completed_specification(
            str(network), (network_input, call), (input_spec or FrontEnd()).seconds
        )
        network = load_network(str(network))
    elif isinstance(network, nn.Module):
        network = copy_network(network)
    elif callable(network):
        network = BlackBox(getattr(network, "__name__", type(network).__name__), network)
    else:
        raise UsageError(
            f"network is of type {type(network).__name__}; give a torch module, a function from "
            "arrays to arrays, or what --classifier or --model take"
        )
    return adapt_network(
        network,
        input_spec or (network_input or FrontEnd()).generator_output,
        network_input,
        call,
        CPU,
        trust_features=not isinstance(given, str | Path),
    )


def _given(given: Given) -> tuple[Input | None, Call]:
    if given is None:
        return None, Call()
    if isinstance(given, str | Path):
        return read_input_file(Path(given))
    values = dict(given)
    call = call_from("input", values.pop("network", {}))
    return input_from("input", values), call
