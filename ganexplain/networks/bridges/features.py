"""The user's own function from waveforms to what a network takes, as a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from ganexplain.errors import UsageError, reason_of
from ganexplain.inputs.base import Input
from ganexplain.networks.loaders.factories import import_object


class Features(nn.Module):
    """Waveforms (B, W) -> the input of a network (B, ...), by a function of torch tensors."""

    def __init__(self, named: str, compute: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.named, self.compute = named, compute  # a module is registered, and moved with this

    def forward(self, waveform: Tensor) -> Tensor:
        """The features; UsageError that names the function if it fails or returns no tensor."""
        if isinstance(waveform, fx.Proxy):
            raise TypeError("a function of the user's is not traced")
        try:
            found = self.compute(waveform)
        except Exception as error:  # its code may raise anything
            raise UsageError(
                f"features = {self.named!r}: failed for waveforms of shape "
                f"{tuple(waveform.shape)} ({reason_of(error)})"
            ) from error
        if not isinstance(found, Tensor) or found.shape[:1] != waveform.shape[:1]:
            kind = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise UsageError(
                f"features = {self.named!r}: returned {kind} for waveforms of shape "
                f"{tuple(waveform.shape)}; return a tensor with the same batch axis"
            )
        return found


def load_features(network_input: Input | None, trusted: bool) -> Features | None:
    """The function that a specification names; None if it names none.

    Raises UsageError if the caller did not say that its code is `trusted`, and if it cannot be
    imported, is not callable, or returns what does not depend on the waveform differentiably.
    """
    named = network_input.features if network_input else ""
    if network_input is None or not named:
        return None
    if not trusted:
        raise UsageError(
            f"--input: features = {named!r} runs code; if you trust it, add --trust-features"
        )
    compute = import_object("--input: features", named)
    if isinstance(compute, type) or not callable(compute):
        raise UsageError(
            f"--input: features {named}: is {type(compute).__name__}, not a function or a module "
            "of waveforms"
        )
    features = Features(named, compute)
    features.eval()
    noise = torch.randn(1, *network_input.shape, generator=torch.Generator().manual_seed(0))
    if not features((0.1 * noise).requires_grad_(True)).requires_grad:
        raise UsageError(
            f"--input: features {named}: what it returns has no gradient with respect to the "
            "waveform; compute it with torch operators alone, without detach, numpy and no_grad"
        )
    return features
