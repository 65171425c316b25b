"""From what a GAN draws to what a network takes, differentiable; refused where there is no way."""

from __future__ import annotations

from torch import Tensor, nn

from ganexplain.config import FrontEnd
from ganexplain.errors import UsageError
from ganexplain.inputs import ImageInput, Input, WaveformInput

AXES = {FrontEnd: "FT", ImageInput: "CHW", WaveformInput: "W"}


def bridge_between(drawn: Input, eaten: Input, layout: str = "") -> nn.Module:
    """The module from what is drawn (B, ...) to what is eaten, its axes as `layout` names them.

    Raises UsageError where there is no such map, saying why.
    """
    steps = [] if drawn == eaten else [_conversion(drawn, eaten)]
    axes = AXES[type(eaten)]
    if layout and layout != axes:
        steps.append(_Layout(axes, layout))
    return nn.Sequential(*steps)


def _conversion(drawn: Input, eaten: Input) -> nn.Module:
    raise UsageError(f"--input: no way from {type(drawn).__name__} to {type(eaten).__name__}")


class _Layout(nn.Module):
    """Axes (B, FT...) in another order, with axes of length one where the layout has a 1."""

    def __init__(self, axes: str, layout: str) -> None:
        super().__init__()
        letters = layout.replace("1", "")
        if sorted(letters) != sorted(axes):
            raise UsageError(f"layout = {layout!r}: give each of {', '.join(axes)} once, and 1s")
        self.order = (0, *(1 + axes.index(letter) for letter in letters))
        self.ones = [1 + place for place, letter in enumerate(layout) if letter == "1"]

    def forward(self, x: Tensor) -> Tensor:
        """The same values, (B, ...) as the layout has it."""
        x = x.permute(self.order)
        for place in self.ones:
            x = x.unsqueeze(place)
        return x
