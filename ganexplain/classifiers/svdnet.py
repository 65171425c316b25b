"""The singing-voice detector of Schlueter & Grill 2015, as explained by Mishra et al. 2019."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ganexplain.classifiers.base import SLOPE, ExcerptNet, register


@register
class SVDNet(ExcerptNet):
    """Excerpts (B, F=80, T=115) of natural-log mel in nat -> logits (B, outputs).

    It has 1,408,225 parameters with one output (method, section 2.1). Pooling precedes the
    rectifier, which computes the same, as the rectifier is monotone, with a ninth of the work.
    """

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 3)
        self.act1 = nn.LeakyReLU(SLOPE)
        self.conv2 = nn.Conv2d(64, 32, 3)
        self.pool3 = nn.MaxPool2d(3)
        self.act3 = nn.LeakyReLU(SLOPE)
        self.conv4 = nn.Conv2d(32, 128, 3)
        self.act4 = nn.LeakyReLU(SLOPE)
        self.conv5 = nn.Conv2d(128, 64, 3)
        self.pool6 = nn.MaxPool2d(3)
        self.act6 = nn.LeakyReLU(SLOPE)
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(64 * 7 * 11, 256)
        self.act7 = nn.LeakyReLU(SLOPE)
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(256, 64)
        self.act8 = nn.LeakyReLU(SLOPE)
        self.drop8 = nn.Dropout(0.5)
        self.fc9 = nn.Linear(64, outputs)

    def forward(self, mel: Tensor) -> Tensor:
        """Logits (B, outputs) of excerpts (B, F, T)."""
        x = self.act1(self.conv1(self.standardise(mel)))
        x = self.act3(self.pool3(self.conv2(x)))
        x = self.act4(self.conv4(x))
        x = self.drop6(self.act6(self.pool6(self.conv5(x)))).flatten(1)
        x = self.drop7(self.act7(self.fc7(x)))
        x = self.drop8(self.act8(self.fc8(x)))
        return self.fc9(x)

    def forward_dense(self, mel: Tensor) -> Tensor:
        """Logits (B, T - 114, outputs) of all centre frames of recordings (B, F, T) in one pass.

        Pooling keeps all frames, and the layers behind are dilated by three for each pooling.
        """
        x = self.act1(self.conv1(self.standardise(mel)))
        x = self.act3(functional.max_pool2d(self.conv2(x), 3, stride=(3, 1)))
        x = self.act4(_dilated(self.conv4, x, 3))
        x = _dilated(self.conv5, x, 3)
        x = self.act6(functional.max_pool2d(x, 3, stride=(3, 1), dilation=(1, 3)))
        weight = self.fc7.weight.view(-1, 64, 7, 11)
        x = functional.conv2d(x, weight, self.fc7.bias, dilation=(1, 9))
        x = self.act7(x.squeeze(2).transpose(1, 2))
        return self.fc9(self.act8(self.fc8(x)))


def _dilated(layer: nn.Conv2d, x: Tensor, dilation: int) -> Tensor:
    return functional.conv2d(x, layer.weight, layer.bias, dilation=(1, dilation))
