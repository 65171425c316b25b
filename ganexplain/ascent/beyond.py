"""What a unit hears that the decision does not: searches that fix the outputs of the network.

The outputs are fixed as logits in standard deviations over samples of the GAN; of more than
`MOST_FIXED` the first principal components are. Each fixed number costs a backward pass a step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts.plan import SearchTarget
from ganexplain.ascent.engine import evaluate_all
from ganexplain.ascent.gradients import vanishes
from ganexplain.ascent.projection import Level
from ganexplain.ascent.search_networks import SearchNetworks
from ganexplain.errors import UsageError
from ganexplain.networks.adapter import OUTPUT
from ganexplain.networks.decisions import guess_output_kind, output_logits
from ganexplain.networks.hooks import (
    Response,
    find_layer,
    layer_response,
    record_outputs,
    unit_response,
)
from ganexplain.networks.layer_units import unit_values
from ganexplain.networks.units import Unit

BEYOND = (OUTPUT,)  # choices of `--beyond`
MOST_FIXED = 8
SAMPLES, BATCH = 64, 16  # of the GAN, over which outputs vary
CHECKED = 8  # starts at which a unit must have a gradient that leaves the outputs
LEAST_LEFT = 1e-3  # share of its length
ONLY_OUTPUTS = (
    "{units}: nothing is left to hear beyond the outputs: while they stay, it stays; choose a unit "
    "of an earlier layer, or leave out --beyond"
)


@dataclass(frozen=True)
class FixedOutputs:
    """The H numbers that a search fixes: logits of `layer`, summed with `weights` (K, H).

    `kind` is that of the outputs in `decisions.OUTPUTS`; `share` is how much of their variance
    over samples of the GAN the numbers have.
    """

    layer: str
    kind: str
    weights: Tensor
    share: float

    @classmethod
    def measure(cls, networks: SearchNetworks) -> FixedOutputs:
        """Those of a network; UsageError for outputs that do not vary."""
        explained = networks.explained
        (layer,) = explained.layers((OUTPUT,))
        latents = torch.from_numpy(networks.starts(0, SAMPLES)).to(networks.device)
        with torch.no_grad(), layer_response(explained.network, layer) as respond:
            outputs = torch.cat([respond(networks.generator(z)) for z in latents.split(BATCH)])
        kind = guess_output_kind(outputs)
        logits = output_logits(outputs, kind).double()
        deviation = logits.std(dim=0)
        if not bool((deviation > 0).any()):
            raise UsageError(
                "--beyond output: the outputs are the same for all samples of the GAN, so there is "
                "nothing to fix; leave it out"
            )
        scale = torch.where(deviation > 0, 1 / deviation, 0.0)
        weights, share = torch.diag(scale)[:, deviation > 0], 1.0
        if weights.shape[1] > MOST_FIXED:
            standard = (logits - logits.mean(dim=0)) * scale
            _, sizes, axes = torch.linalg.svd(standard, full_matrices=False)
            variances = sizes.square() / (len(logits) - 1)
            share = float(variances[:MOST_FIXED].sum() / variances.sum())
            weights = scale[:, None] * axes[:MOST_FIXED].T / variances[:MOST_FIXED].sqrt()
        return cls(layer, kind, weights.float(), share)

    def read(self, activation: Tensor) -> Tensor:
        """The numbers (B, H), in standard deviations, from the output of the layer."""
        logits = output_logits(unit_values(activation), self.kind)
        return (logits[:, :, None] * self.weights.to(logits)).sum(1)

    @property
    def words(self) -> str:
        """What is fixed if it is not all outputs, or an empty text."""
        count, numbers = self.weights.shape
        if count == numbers:
            return ""
        return (
            f"of {count} outputs the first {numbers} principal components are fixed, with "
            f"{100 * self.share:.0f} % of their variance"
        )


@contextmanager
def response_and_outputs(
    network: nn.Module, unit: Unit, fixed_outputs: FixedOutputs
) -> Iterator[Response]:
    """A function from inputs (B, ...) to the unit's responses and fixed numbers (B, 1 + H)."""
    layers = {
        "unit": find_layer(network, unit.layer),
        "outputs": find_layer(network, fixed_outputs.layer),
    }
    with record_outputs(network, layers) as outputs:

        def respond(x: Tensor) -> Tensor:
            network(x)
            response = unit.read(outputs["unit"])
            return torch.cat([response[:, None], fixed_outputs.read(outputs["outputs"])], dim=1)

        yield respond


def search_response(
    network: nn.Module, unit: Unit, fixed_outputs: FixedOutputs | None
) -> AbstractContextManager[Response]:
    """What a search evaluates: `unit_response`, or with fixed outputs `response_and_outputs`."""
    return (
        response_and_outputs(network, unit, fixed_outputs)
        if fixed_outputs
        else unit_response(network, unit)
    )


def check_beyond(
    targets: Iterable[SearchTarget],
    networks: SearchNetworks,
    fixed_outputs: FixedOutputs,
    start: np.ndarray,
) -> list[str]:
    """Notes on units of which nothing is left beyond the outputs; UsageError if that is all units.

    `start` (N, Z) are the starts of the searches.
    """
    units = list(dict.fromkeys(target.unit for target in targets))
    latent = torch.from_numpy(start[:CHECKED]).to(networks.device)
    bound = [
        str(unit) for unit in units if _left(networks, unit, fixed_outputs, latent) < LEAST_LEFT
    ]
    said = ONLY_OUTPUTS.format(units=", ".join(bound[:3]) + ", ..." * (len(bound) > 3))
    if bound and len(bound) == len(units):
        raise UsageError(said)
    return [text for text in (fixed_outputs.words, said if bound else "") if text]


def _left(
    networks: SearchNetworks, unit: Unit, fixed_outputs: FixedOutputs, latent: Tensor
) -> float:
    """The largest share of the length of a unit's gradient that leaves the outputs as they are."""
    with response_and_outputs(networks.explained.network, unit, fixed_outputs) as respond:
        values, gradients = evaluate_all(lambda z: respond(networks.generator(z)), latent, BATCH)
    uphill, jacobian = gradients[:, 0], gradients[:, 1:]
    if vanishes(jacobian.flatten(1)).all():
        raise UsageError(
            "--beyond output: the outputs have no gradient, so they cannot be fixed; leave it out"
        )
    along = Level(jacobian, torch.zeros_like(values[:, 1:])).along(uphill)
    return float((along.norm(dim=1) / uphill.norm(dim=1).clamp_min(1e-30)).max())
