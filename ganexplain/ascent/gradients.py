"""Checks that a unit's response has a gradient which a search can follow, or finds why not.

Without a gradient latents only follow the prior, and results do not depend on the unit.
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
from ganexplain.networks.black_box import find_black_box
from ganexplain.networks.gradient_faults import find_gradient_fault, quantised_layers
from ganexplain.networks.hooks import layer_output
from ganexplain.networks.target import TargetNetwork
from ganexplain.networks.units import Unit

FIRST = 4  # starts that are checked first; for nearly all units one of them has a gradient
NEARER = (0.5, 0.25, 0.0)  # shares of the latents, as a prior may move them to the origin
OTHERS = 64  # number of other samples of the prior
ROUNDING = 16  # steps of float32 within which responses count as equal
UNREGISTERED = re.compile(r"^(\S+): an autograd kernel was not registered")


def vanishes(gradient: Tensor) -> Tensor:
    """Whether each row of gradients (R, Z) is all zero: (R,) bool."""
    return (gradient == 0).all(dim=1)


def varies(response: Tensor, size: Tensor) -> bool:
    """Whether responses (M,), read from values of `size` (M,), differ by more than rounding.

    It is false for a single response.
    """
    step = torch.finfo(torch.float32).eps * float(size.double().mean())
    return len(response) > 1 and float(response.double().std()) > ROUNDING * step


@dataclass(frozen=True)
class Look:
    """Responses (R,) of a unit at latents, the sizes (R,) of the values read, and their gradients.

    `flat` (R,) is true where the gradient is zero; `finite` is true if all gradients are finite;
    `unregistered` are operators whose gradient torch leaves out.
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What may be wrong with the gradients."""
        names = dict.fromkeys(self.unregistered)
        found = tuple(f"torch leaves out the gradient of {name}" for name in names)
        if self.finite:
            return found
        cause = "a root or logarithm of exactly zero, as of silence that fit = 'zeros' adds"
        return (*found, f"the gradient is not finite ({cause})")


@dataclass(frozen=True)
class Unfollowed:
    """A unit whose response has no gradient, and the likely cause."""

    unit: str
    cause: str

    def __str__(self) -> str:
        return f"{self.unit}: the unit's response has no gradient to follow: {self.cause}"


def check_gradient(
    generator: nn.Module, network: nn.Module, unit: Unit, start: Tensor, batch: int
) -> tuple[Unfollowed | None, tuple[str, ...]]:
    """The fault in the gradient of a unit at starts (N, Z) of a search, or None; and warnings.

    The check ends at the first few starts if one of them has a gradient, which is much less work
    than the first iteration. A unit is at fault if it has no gradient at any start, nearer to the
    origin, or at other samples of the prior.
    """
    other = torch.randn(OTHERS, start.shape[1], generator=torch.Generator().manual_seed(0))
    further = [start[FIRST:], *(start * share for share in NEARER), other.to(start)]
    found: list[Look] = []
    for latents in (start[:FIRST], torch.cat(further)):
        for rows in latents.split(batch):
            found.append(_look(generator, network, unit, rows))
            whole = Look.joined(found)  # a batch may be one row, which cannot vary
            if whole.followed:
                return None, whole.warnings
    with torch.no_grad():
        generated = generator(start[:1])
    return Unfollowed(str(unit), _cause(network, unit.layer, generated, whole)), ()


def refuse_unfollowed(found: Sequence[Unfollowed], units: int) -> None:
    """Raise UsageError if none of `units` units has a gradient."""
    if found and len(found) == units:
        raise UsageError("; ".join(map(str, found[:3])) + " ..." * (len(found) > 3))


def _look(generator: nn.Module, network: nn.Module, unit: Unit, latents: Tensor) -> Look:
    z = latents.detach().requires_grad_(True)
    with torch.enable_grad(), warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        with layer_output(network, unit.layer) as compute:
            activation = compute(generator(z))
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


def _cause(network: nn.Module, layer: str, sample: Tensor, look: Look) -> str:
    if black_box := find_black_box(network):
        return f"{black_box.name} is a black box; search with --search evolution"
    quantised = quantised_layers(network)
    if look.unregistered or quantised:
        where = f"layer {quantised[0]}" if quantised else look.unregistered[0]
        return (
            f"{where} is quantised and has no gradient in torch; explain the network as it "
            "was before or a unit in front of that layer, or use explain --search evolution"
        )
    value = float(look.response[0])
    if varies(look.response, look.size):
        with layer_output(network, layer) as compute:
            compute(sample)  # the first call does a second pass, to count calls
            cause = find_gradient_fault(network, compute, sample)
        cause = cause or "the network rounds, compares or detaches"
        return f"{cause}; choose a unit before that, or use explain --search evolution"
    if abs(value) <= ROUNDING * torch.finfo(torch.float32).eps * float(look.size.max()):
        return (
            "it is 0 whatever the GAN generates, as of a dead rectifier or of the mean of what a "
            "LayerNorm has made zero on average; choose another unit, or one before that layer"
        )
    return f"it is {value:.4g} whatever the GAN generates; choose another unit"


def check_units(
    targets: Iterable[SearchTarget],
    explained: TargetNetwork,
    generator: nn.Module,
    start: np.ndarray,
    batch: int,
) -> list[str]:
    """Warnings about units to search from starts (N, Z); UsageError if none has a gradient."""
    latents = torch.from_numpy(start).to(explained.device)
    units = list(dict.fromkeys(target.unit for target in targets))
    unfollowed, notes = [], []
    for unit in units:
        found, warnings = check_gradient(generator, explained.network, unit, latents, batch)
        notes += [f"{unit}: {warning}" for warning in warnings]
        if found:
            unfollowed.append(found)
            notes.append(f"{found}; its latents only follow the prior")
    refuse_unfollowed(unfollowed, len(units))
    return notes
