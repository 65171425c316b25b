"""The base class of classifiers, with standardisation as part of the network."""

from __future__ import annotations

from typing import ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from ganexplain.inputs.base import Input
from ganexplain.inputs.log_mel import FrontEnd

BANDS = 80  # F of an excerpt
SLOPE = 0.01  # of every leaky rectifier


class ExcerptNet(nn.Module):
    """A network on excerpts (B, F=80, T) of natural-log mel in nat; T is that of its `front_end`.

    The mean and standard deviation of each band in training are its buffers `mean` and `deviation`
    (F,), so its input is log-mel from the front end or a generator. The name of a layer means the
    layer's own output: `fc8` is (B, 64) before its rectifier, `fc9` are the logits.
    """

    front_end: ClassVar[FrontEnd] = FrontEnd()
    target_frames: ClassVar[tuple[int, ...]] = (0,)  # of training excerpts, from their centre
    mean: Tensor
    deviation: Tensor
    fc9: nn.Linear

    def __init__(self, bands: int = BANDS) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("deviation", torch.ones(bands))

    @classmethod
    def for_inputs(cls, outputs: int, input_spec: Input) -> Self:
        """A network with `outputs` output units for inputs of `input_spec`."""
        return cls(outputs)

    @classmethod
    def accepts(cls, input_spec: Input) -> bool:
        """Whether it can be trained on such inputs: of log-mel, those of its front end."""
        return input_spec == cls.front_end

    @classmethod
    def misfit(cls, input_spec: Input) -> str:
        """Why the network cannot take inputs that a checkpoint names; empty where it can."""
        if input_spec.shape == cls.front_end.shape:
            return ""
        bands, frames = cls.front_end.shape
        return (
            f"front_end has excerpts of {input_spec.shape}, a {cls.__name__.lower()} takes "
            f"mel_bands = {bands} and excerpt_frames = {frames}"
        )

    @property
    def outputs(self) -> int:
        """Number of output units."""
        return self.fc9.out_features

    def standardise(self, mel: Tensor) -> Tensor:
        """Log-mel (B, F, T) as one channel (B, 1, F, T), with zero mean and unit deviation."""
        return ((mel - self.mean[:, None]) / self.deviation[:, None]).unsqueeze(1)

    def forward_targets(self, mel: Tensor) -> Tensor:
        """Logits (B, N, outputs) of the N `target_frames` of training excerpts (B, F, T')."""
        return self(mel)[:, None]

    def forward_dense(self, mel: Tensor) -> Tensor:
        """Logits (B, T', outputs) of all centre frames of recordings (B, F, T) in one pass.

        Output t equals `forward` of the excerpt that begins at frame t.
        """
        raise NotImplementedError


Network = TypeVar("Network", bound=ExcerptNet)
ARCHITECTURES: dict[str, type[ExcerptNet]] = {}


def register(architecture: type[Network]) -> type[Network]:
    """Add a class to `ARCHITECTURES` under its name in lower case."""
    ARCHITECTURES[architecture.__name__.lower()] = architecture
    return architecture


def sound_architectures() -> list[str]:
    """The names of those that are trained on sound, each with a front end of its own."""
    return [name for name, each in ARCHITECTURES.items() if each.accepts(each.front_end)]


def architectures_for(input_spec: Input) -> list[str]:
    """The names of those that can be trained on such inputs, in the order of their modules."""
    return [name for name, each in ARCHITECTURES.items() if each.accepts(input_spec)]


def initialise(network: nn.Module, seed: int) -> None:
    """Orthogonal weights (gain 1) and zero biases, drawn from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.orthogonal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
