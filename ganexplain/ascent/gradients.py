"""Whether a search can follow a unit's response: where it has a gradient, and why not.

Without one, latents only follow the prior, and what is found says nothing of the unit.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ganexplain.artifacts.plan import SearchTarget
from ganexplain.errors import UsageError
from ganexplain.networks.gradient_faults import find_gradient_fault, quantised_layers
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

FIRST = 4  # starts looked at first: of nearly all units one of them has a gradient
NEARER = (0.5, 0.25, 0.0)  # of the way from the origin: where a prior may take the latents
OTHERS = 64  # other samples of the prior
ROUNDING = 16  # steps of float32 within which responses that differ are equal
UNREGISTERED = re.compile(r"^(\S+): an autograd kernel was not registered")


def vanishes(gradient: Tensor) -> Tensor:
    """Which rows of gradients (R, Z) are zero throughout, (R,) of booleans."""
    return (gradient == 0).all(dim=1)


def varies(response: Tensor, size: Tensor) -> bool:
    """Whether responses (M,) differ by more than rounding, their parts being of `size` (M,).

    A single one differs from nothing.
    """
    step = torch.finfo(torch.float32).eps * float(size.double().mean())
    return len(response) > 1 and float(response.double().std()) > ROUNDING * step


@dataclass(frozen=True)
class Look:
    """Responses (R,) of a unit at latents, sizes (R,) of what they are read from, gradients.

    `flat` (R,) says where the gradient is zero. `unregistered` are operators on the way whose
    gradient torch does not know and leaves out.
    """

    response: Tensor
    size: Tensor
    flat: Tensor
    finite: bool
    unregistered: tuple[str, ...]

    @classmethod
    def joined(cls, looks: Sequence[Look]) -> Look:
        """Several looks as one."""
        return cls(
            torch.cat([look.response for look in looks]),
            torch.cat([look.size for look in looks]),
            torch.cat([look.flat for look in looks]),
            all(look.finite for look in looks),
            tuple(name for look in looks for name in look.unregistered),
        )

    @property
    def followed(self) -> bool:
        """Whether some latent has a gradient that is more than rounding."""
        return not self.flat.all() and (not self.finite or varies(self.response, self.size))


@dataclass(frozen=True)
class Unfollowed:
    """A unit whose response no search can follow, and the likely cause."""

    unit: str
    cause: str

    def __str__(self) -> str:
        return f"{self.unit}: the unit's response has no gradient to follow: {self.cause}"


def check_gradient(
    generator: nn.Module, network: nn.Module, unit: Unit, start: Tensor, batch: int
) -> tuple[Unfollowed | None, tuple[str, ...]]:
    """What is wrong with the gradient of a unit at starts (N, Z) of a search; warnings in words.

    A few starts are looked at, and no more where one of them has a gradient: far less than the
    first iteration takes. Only where there is none at any of them, nor nearer to the origin, nor
    at other samples of the prior, can no search follow the unit.
    """
    other = torch.randn(OTHERS, start.shape[1], generator=torch.Generator().manual_seed(0))
    further = [start[FIRST:], *(start * share for share in NEARER), other.to(start)]
    found: list[Look] = []
    for latents in (start[:FIRST], torch.cat(further)):
        for rows in latents.split(batch):
            found.append(_look(generator, network, unit, rows))
            whole = Look.joined(found)  # a batch may be one row, which varies from nothing
            if whole.followed:
                return None, tuple(map(_left_out, dict.fromkeys(whole.unregistered)))
    with torch.no_grad():
        generated = generator(start[:1])
    return Unfollowed(str(unit), _cause(network, unit.layer, generated, whole)), ()


def refuse_unfollowed(found: Sequence[Unfollowed], units: int) -> None:
    """UsageError where none of so many units can be followed."""
    if found and len(found) == units:
        raise UsageError("; ".join(map(str, found[:3])) + " ..." * (len(found) > 3))


def _look(generator: nn.Module, network: nn.Module, unit: Unit, latents: Tensor) -> Look:
    z = latents.detach().requires_grad_(True)
    with torch.enable_grad(), warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        with layer_output(network, unit.layer) as put_out:
            activation = put_out(generator(z))
            response = unit.read(activation)
            gradient = torch.zeros_like(z)
            if response.requires_grad:
                (gradient,) = torch.autograd.grad(
                    response.sum(), z, allow_unused=True, materialize_grads=True
                )
    known = (UNREGISTERED.match(str(warning.message)) for warning in raised)
    return Look(
        response.detach(),
        unit.magnitude(activation.detach()),
        vanishes(gradient),
        bool(torch.isfinite(gradient).all()),
        tuple(match[1] for match in known if match),
    )


def _left_out(operator: str) -> str:
    return f"torch knows no gradient of {operator}: the search follows only what goes around it"


def _cause(network: nn.Module, layer: str, generated: Tensor, look: Look) -> str:
    quantised = quantised_layers(network)
    if look.unregistered or quantised:
        where = f"layer {quantised[0]}" if quantised else look.unregistered[0]
        return (
            f"{where} is quantised and has no gradient in torch; explain the network as it "
            "was before, or a unit in front of that layer"
        )
    value = float(look.response[0])
    if varies(look.response, look.size):
        with layer_output(network, layer) as put_out:
            put_out(generated)  # the first pass through is another
            cause = find_gradient_fault(network, put_out, generated)
        return f"{cause or 'the network rounds, compares or detaches'}; choose a unit before that"
    if abs(value) <= ROUNDING * torch.finfo(torch.float32).eps * float(look.size.max()):
        return (
            "it is 0 whatever the GAN draws, as of a dead rectifier or of the mean of what a "
            "LayerNorm has made zero on average; choose another unit, or one before that layer"
        )
    return f"it is {value:.4g} whatever the GAN draws; choose another unit"


def check_units(
    targets: Iterable[SearchTarget],
    explained: TargetNetwork,
    generator: nn.Module,
    start: np.ndarray,
    batch: int,
) -> list[str]:
    """Warnings about units to search from starts (N, Z); UsageError where none can be followed."""
    latents = torch.from_numpy(start).to(explained.device)
    asked = list(dict.fromkeys(target.unit for target in targets))
    unfollowed, notes = [], []
    for unit in asked:
        found, warnings = check_gradient(generator, explained.network, unit, latents, batch)
        notes += [f"{unit}: {warning}" for warning in warnings]
        if found:
            unfollowed.append(found)
            notes.append(f"{found}; its latents only follow the prior")
    refuse_unfollowed(unfollowed, len(asked))
    return notes
