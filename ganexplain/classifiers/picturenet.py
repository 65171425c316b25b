"""A classifier of small pictures of any size, with one or three channels."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from ganexplain.classifiers.base import SLOPE, ExcerptNet, register
from ganexplain.inputs.base import Input

WIDTHS = (32, 64, 128)  # channels of the blocks; further blocks have the last number
SMALLEST = 4  # pixels per side; smaller maps are not pooled


@register
class PictureNet(ExcerptNet):
    """Pictures (B, C, H, W), 0 to 1, -> logits (B, outputs).

    Channels are standardised. Blocks of two 3 x 3 convolutions follow, with pooling between them
    while both sides stay at 4 pixels or more, then `fc8` (64 units) and `fc9`, the logits.
    """

    def __init__(self, outputs: int, shape: tuple[int, ...]) -> None:
        channels, height, width = shape
        super().__init__(channels)
        self.blocks = nn.Sequential()
        number = 0
        while True:
            wide = WIDTHS[min(number, len(WIDTHS) - 1)]
            for layer in (nn.Conv2d(channels, wide, 3, padding=1), nn.LeakyReLU(SLOPE),
                          nn.Conv2d(wide, wide, 3, padding=1), nn.LeakyReLU(SLOPE)):  # fmt: skip
                self.blocks.append(layer)
            channels, number = wide, number + 1
            if min(height, width) // 2 < SMALLEST:
                break
            self.blocks.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        self.drop7 = nn.Dropout(0.25)
        self.fc8 = nn.Linear(channels * height * width, 64)
        self.act8 = nn.LeakyReLU(SLOPE)
        self.drop8 = nn.Dropout(0.5)
        self.fc9 = nn.Linear(64, outputs)

    @classmethod
    def for_inputs(cls, outputs: int, input_spec: Input) -> Self:
        """A network with `outputs` output units for pictures of that shape."""
        return cls(outputs, input_spec.shape)

    @classmethod
    def accepts(cls, input_spec: Input) -> bool:
        """Whether they are channels of rows and columns, without sound."""
        return len(input_spec.shape) == 3 and not input_spec.sound_rate

    @classmethod
    def misfit(cls, input_spec: Input) -> str:
        """Why the network cannot take inputs that a checkpoint names; empty where it can."""
        if cls.accepts(input_spec):
            return ""
        return f"front_end is of sound, a {cls.__name__.lower()} takes pictures"

    def standardise(self, pictures: Tensor) -> Tensor:
        """Pictures (B, C, H, W), each channel with zero mean and unit deviation."""
        return (pictures - self.mean[:, None, None]) / self.deviation[:, None, None]

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits (B, outputs) of pictures (B, C, H, W)."""
        x = self.drop7(self.blocks(self.standardise(pictures)).flatten(1))
        return self.fc9(self.drop8(self.act8(self.fc8(x))))
