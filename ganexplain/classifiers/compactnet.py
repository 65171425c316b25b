"""A small detector with another architecture than SVDNet, as an independent judge."""

from __future__ import annotations

from torch import Tensor, nn

from ganexplain.classifiers.base import SLOPE, ExcerptNet, register

DILATIONS = (2, 4, 8, 16, 24)  # kernels of three frames, after six frames before: 115 in all


@register
class CompactNet(ExcerptNet):
    """Excerpts (B, F=80, T=115) of natural-log mel in nat -> logits (B, outputs).

    It pools only over frequency, and the dilation over time grows from layer to layer, so all
    frames are kept and longer recordings need no special pass. It has 296,225 parameters with one
    output, a fifth of SVDNet's, and no kernel, pooling or width in common with SVDNet.
    """

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, (5, 3))
        self.pool1 = nn.MaxPool2d((4, 1))
        self.act1 = nn.LeakyReLU(SLOPE)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.pool2 = nn.MaxPool2d((3, 1))
        self.act2 = nn.LeakyReLU(SLOPE)
        self.conv3 = nn.Conv2d(64, 128, (5, 3))
        self.act3 = nn.LeakyReLU(SLOPE)
        widths = (128, *[96] * len(DILATIONS))
        self.times = nn.Sequential()
        for number, dilation in enumerate(DILATIONS):
            layer = nn.Conv2d(widths[number], widths[number + 1], (1, 3), dilation=(1, dilation))
            self.times.append(layer).append(nn.LeakyReLU(SLOPE)).append(nn.Dropout(0.2))
        self.fc8 = nn.Linear(96, 64)
        self.act8 = nn.LeakyReLU(SLOPE)
        self.drop8 = nn.Dropout(0.5)
        self.fc9 = nn.Linear(64, outputs)

    def forward(self, mel: Tensor) -> Tensor:
        """Logits (B, outputs) of excerpts (B, F, T)."""
        return self._head(self._frames(mel)[:, 0])

    def forward_dense(self, mel: Tensor) -> Tensor:
        """Logits (B, T - 114, outputs) of all centre frames of recordings (B, F, T) in one pass."""
        return self._head(self._frames(mel))

    def _frames(self, mel: Tensor) -> Tensor:
        x = self.act1(self.pool1(self.conv1(self.standardise(mel))))
        x = self.act2(self.pool2(self.conv2(x)))
        x = self.act3(self.conv3(x))
        return self.times(x).squeeze(2).transpose(1, 2)

    def _head(self, x: Tensor) -> Tensor:
        return self.fc9(self.drop8(self.act8(self.fc8(x))))
